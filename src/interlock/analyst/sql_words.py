"""Names that SQL engines give to functions, procedures, statements and catalogues that reach beyond the tables.

Facts from the engines' own manuals (PostgreSQL, MySQL, SQL Server, Oracle, SQLite), in lower case.  A function that
stands in none of these tables, and that the parser has no type for, may do anything: ``sql`` calls it opaque.
"""

from __future__ import annotations

import re
from typing import Final

from interlock.analyst.tables import words

# Signal by function or procedure, by the last part of its name unless the name has a dot.
REACHING: Final = {
    "sql.os_command": """
    xp_cmdshell sp_oacreate sp_oamethod sp_execute_external_script sys_exec sys_eval sys_bineval system os_exec
    os_command.exec_clob os_command.exec shell run_program dbms_scheduler.create_job dbms_java.runjava
    dbms_java_test.funcall dbms_scheduler.create_program sp_start_job sp_add_jobstep sp_add_job
    """,
    "sql.server_file": """
    pg_read_file pg_read_binary_file pg_ls_dir pg_stat_file pg_file_write pg_file_read pg_file_unlink
    pg_file_rename lo_import lo_export load_file readfile writefile edit fsdir xp_dirtree xp_fileexist
    xp_subdirs xp_regread xp_regwrite xp_regdeletevalue openrowset opendatasource fn_get_audit_file
    fn_trace_gettable utl_file.fopen utl_file.put_line utl_file.get_line bfilename dbms_lob.loadfromfile
    pg_logdir_ls pg_ls_logdir pg_ls_waldir pg_ls_tmpdir pg_read_server_files read_csv read_csv_auto read_parquet
    read_json read_json_auto read_text read_blob parquet_scan glob sniff_csv xp_create_subdir xp_delete_file
    """,
    "sql.network": """
    dblink dblink_connect dblink_exec dblink_send_query dblink_connect_u openquery postgres_fdw_get_connections
    utl_http.request utl_tcp.open_connection utl_smtp.open_connection utl_inaddr.get_host_address httpuritype
    utl_inaddr.get_host_name dbms_ldap.init http_get http_post http_put http_delete http url remote remotesecure
    s3 net.http_get net.http_post sp_invoke_external_rest_endpoint sp_send_dbmail xp_sendmail mysql postgresql
    """,
    "sql.loads_code": """
    load_extension sp_addextendedproc dbms_java.grant_permission fts3_tokenizer sp_addlinkedserver lo_create
    dbms_java.loadjava
    """,
    "sql.administers": """
    sp_configure set_config pg_reload_conf pg_terminate_backend pg_cancel_backend pg_rotate_logfile
    pg_switch_wal pg_promote pg_create_restore_point sp_dropserver xp_servicecontrol shutdown dbms_system.ksdwrt
    """,
    "sql.grants": """
    sp_addsrvrolemember sp_addrolemember sp_addlogin sp_adduser sp_grantdbaccess sp_password xp_grantlogin
    sp_changedbowner dbms_java.grant_policy_permission
    """,
    "sql.delays": (
        "sleep pg_sleep pg_sleep_for pg_sleep_until benchmark dbms_lock.sleep dbms_session.sleep dbms_pip"
        "e.receive_message"
    ),
    "sql.dumps": (
        "database_to_xml database_to_xmlschema database_to_xml_and_xmlschema schema_to_xml table_to_xml query_to_xml"
    ),
    "sql.dynamic": (
        "sp_executesql sp_prepexec sp_execute sp_prepare query_to_xml xpath_table dbms_sql.parse eval exe"
        "cute crosstab ts_stat"
    ),
}
BY_FUNCTION: Final = {name: signal for signal, names in REACHING.items() for name in words(names)}

PURE: Final = words("""
    abs acos age array_length array_position array_to_json array_upper asin atan atan2 avg bin bit_and bit_count
    bit_or btrim cardinality cast ceil ceiling char char_length character_length charindex chr clock_timestamp
    coalesce concat concat_ws connection_id conv convert cos cot count crc32 curdate current_date
    current_setting current_user curtime date date_add date_format date_part date_sub date_trunc dateadd
    datediff datename datepart datetime day dayname dayofmonth dayofweek dayofyear db_name decode degrees
    dense_rank div elt encode eomonth exp field find_in_set first_value floor format format_type found_rows
    from_base64 from_days from_unixtime generate_series getdate getutcdate glob greatest group_concat grouping
    hex host hour host_name ifnull iif inet_aton inet_ntoa initcap instr insert isdate isjson isnull isnumeric
    json_agg json_array json_array_elements json_array_elements_text json_array_length json_build_array
    json_build_object json_contains json_each json_extract json_group_array json_group_object json_insert
    json_keys json_length json_object json_object_agg json_object_keys json_quote json_remove json_replace
    json_set json_tree json_type json_unquote json_valid json_value jsonb_agg jsonb_array_elements
    jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each
    jsonb_object_agg jsonb_object_keys jsonb_path_query jsonb_pretty jsonb_set jsonb_typeof julianday last_day
    last_insert_id last_insert_rowid last_value lcase lead least left len length likelihood likely ln localtime
    locate log log10 log2 lower lpad ltrim make_date make_interval make_timestamp makedate maketime max md5
    microsecond mid min minute mod month monthname newid newsequentialid now nth_value ntile nullif num_nonnulls
    numnode nvl object_id object_name oct octet_length ord overlay parse parsename patindex percent_rank
    period_add period_diff pi plainto_tsquery position pow power printf quarter quote quote_ident quote_literal
    quote_nullable quotename radians rand random randomblob rank regexp regexp_like regexp_match regexp_matches
    regexp_replace regexp_split_to_array regexp_split_to_table repeat replace replicate reverse right round
    row_count row_number row_to_json rowid rpad rtrim schema_name scope_identity second session_user setweight
    sha sha1 sha2 sign similarity sin soundex space split_part sqlite_version sqrt square statement_timestamp
    str str_to_date strcmp strftime string_agg string_split string_to_array strpos stuff subdate substr
    substring substring_index sum suser_name sysdate sysdatetime system_user sysutcdatetime tan time timediff
    timeofday timestamp timestampadd timestampdiff to_base64 to_char to_date to_days to_hex to_json to_jsonb
    to_number to_timestamp to_tsquery to_tsvector total total_changes trim trunc truncate try_cast try_convert
    ts_headline ts_rank typeof ucase unaccent unhex unicode unistr unix_timestamp unixepoch unlikely unnest
    upper user user_name utc_date utc_time utc_timestamp uuid uuid_generate_v4 gen_random_uuid values version
    websearch_to_tsquery week weekday weekofyear width_bucket word_similarity xmlagg year yearweek zeroblob
    st_area st_asgeojson st_astext st_buffer st_contains st_distance st_dwithin st_geomfromtext st_intersects
    st_makepoint st_setsrid st_transform st_within st_x st_y pg_size_pretty pg_relation_size
    pg_total_relation_size pg_database_size pg_table_size pg_indexes_size pg_get_viewdef pg_get_constraintdef
    pg_get_indexdef pg_backend_pid pg_typeof col_description obj_description has_table_privilege nextval currval
    lastval setval first last bool_and bool_or every any_value array_agg stddev stddev_pop stddev_samp variance
    var_pop var_samp corr percentile_cont percentile_disc median mode lag cume_dist countif safe_divide
    approx_count_distinct
    """)

# Parser types of functions that read files, or hand data to a model or to a program.
OPAQUE_TYPES: Final = words("""
    AIAgg AIClassify AIEmbed AIForecast AIGenerate AISimilarity AISummarizeAgg FeaturesAtTime GenerateBool
    GenerateDouble GenerateEmbedding GenerateInt GenerateTable GenerateText MLForecast MLTranslate Predict
    Secret ToFile VectorSearch
    """)
FILE_TYPES: Final = frozenset({"ReadCSV", "ReadParquet"})

CREDENTIAL_TABLES: Final = words("""
    pg_shadow pg_authid pg_auth_members pg_user_mapping pg_user_mappings pg_hba_file_rules mysql.user
    mysql.global_priv mysql.db mysql.proxies_priv sys.sql_logins sys.syslogins master.sys.sql_logins
    master.dbo.syslogins master.dbo.sysxlogins syslogins sysxlogins sys.user$ dba_users sys.credentials
    mysql.servers sys.linked_logins
    """)
_CATALOGUES = frozenset({"information_schema", "pg_catalog", "performance_schema", "sys"})
_CATALOGUE_TABLE = re.compile(
    r"(?:pg_[a-z_]+|sqlite_(?:master|schema|temp_master|temp_schema|sequence|stat\d)|sysobjects|syscolumns|sysdatabases"
    r"|(?:all|dba|user)_(?:tables|tab_columns|users|objects|views|source|db_links)|v\$[a-z_]+)\Z"
)

# Statements that no parser need understand to be recognised, over text without strings and comments.
_PHRASES = (
    (
        "sql.os_command",
        (
            r"\b(?:from|to)\s+program\b|\bxp_cmdshell\b|\bsp_oacreate\b|\bos_command\.\w|\bdbms_scheduler\b"
            r"|\bdbms_java(?:_test)?\.(?:runjava|funcall)\b|(?:^|;)\s*(?:\\!|!!|system\s)"
        ),
    ),
    (
        "sql.server_file",
        (
            r"\binto\s+(?:out|dump)file\b|\bload\s+data\b|\bload_file\s*\(|\bbulk\s+insert\b"
            r"|\bbackup\s+(?:database|log)\b|\brestore\s+(?:database|log|filelistonly)\b"
            r"|\battach\s+(?:database\b)?|\bvacuum\s+into\b|\bopenrowset\b"
            r"|\bcreate\s+(?:or\s+replace\s+)?directory\b|\bexport\s+data\b|(?:^|;)\s*(?:\\[iow]|\.(?:read"
            r"|output|once|import|save|dump|backup))\b"
        ),
    ),
    (
        "sql.network",
        (
            r"\bopenquery\b|\butl_(?:http|tcp|smtp|inaddr)\b|\bdblink\b|\bcreate\s+(?:public\s+)?(?:server"
            r"|subscription|foreign\s+table|database\s+link)\b|\bimport\s+foreign\s+schema\b|\bfederated\b"
            r"|\bdbms_ldap\b|\bchange\s+(?:master|replication)\b|\bat\s+\["
        ),
    ),
    (
        "sql.loads_code",
        (
            r"\bcreate\s+(?:or\s+replace\s+)?(?:trusted\s+|aggregate\s+)?(?:procedural\s+)?(?:extension"
            r"|language|assembly|library|java|module)\b|\binstall\s+(?:plugin|component)\b|\bsoname\b"
            r"|\bload_extension\b|\blanguage\s+'?(?:c|\w*u|java\w*|r|plr)\b|(?:^|;)\s*load\s+'?"
            r"|\bdbms_java\.grant_permission\b|(?:^|;)\s*(?:install|load)\s+\w+\s*(?:;|$)"
        ),
    ),
    (
        "sql.administers",
        (
            r"\bset\s+(?:@@)?(?:global|persist)\b|\balter\s+(?:system|server|instance)\b|\bsp_configure\b"
            r"|\bshutdown\b|\breset\s+master\b|\bkill\s+\d|\bwritable_schema\b|\btrusted_schema\b"
            r"|\bset\s+(?:session\s+authorization|role)\b|\bexecute\s+as\b|\breconfigure\b|\bpurge\s+(?:binary"
            r"|master)\b|\bdisable\s+trigger\b|\bsession_replication_role\b|\bforeign_key_checks\b"
            r"|\brow_security\b"
        ),
    ),
    (
        "sql.grants",
        (
            r"\b(?:create|alter|drop|rename)\s+(?:user|role|login|group|credential|policy)\b|(?:^"
            r"|;)\s*(?:grant|revoke|deny)\b|\bset\s+password\b|\bflush\s+privileges\b|\bidentified\s+(?:by"
            r"|with)\b|\breassign\s+owned\b|\bowner\s+to\b|\bsp_add(?:srv)?rolemember\b"
            r"|\balter\s+authorization\b|\balter\s+default\s+privileges\b|\bdbms_java\.grant_permission\b"
        ),
    ),
    (
        "sql.destroys",
        (
            r"\bdrop\s+(?:table|database|schema|view|materialized|index|column|owned|tablespace|sequence"
            r"|trigger|function|procedure|type|domain)\b|(?:^|;)\s*truncate\b"
        ),
    ),
    (
        "sql.dynamic",
        (
            r"\bexecute\s+immediate\b|\bexec(?:ute)?\s*\(|\bsp_executesql\b|\bprepare\s+\w+\s+from\b|\bdo\s+\$"
            r"|\bdbms_sql\b"
        ),
    ),
    ("sql.delays", r"\bwaitfor\s+(?:delay|time)\b|\b(?:pg_)?sleep\s*\(|\bbenchmark\s*\("),
    ("sql.credentials", r"\bpg_(?:shadow|authid)\b|\bmysql\s*\.\s*user\b|\bsys(?:x)?logins\b|\bsql_logins\b"),
)
PHRASES: Final = tuple((signal, re.compile(pattern)) for signal, pattern in _PHRASES)
ANY_PHRASE: Final = re.compile("|".join(f"(?:{pattern})" for _, pattern in _PHRASES))


def catalogue(name: str) -> bool:
    """Whether a canonical table name is that of an engine's own catalogue."""
    *qualifiers, last = name.split(".")
    return any(one in _CATALOGUES for one in qualifiers) or _CATALOGUE_TABLE.match(last) is not None
