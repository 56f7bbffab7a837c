"""SQL: tables by access, what reaches beyond them, and what is not understood."""

import pytest

from interlock.analyst.sql import analyse
from support.analysing import codes, place, touches

EVERYDAY = [
    ("SELECT name FROM crew WHERE age > 30", {"read table:crew"}),
    ("SELECT * FROM Sales.Orders o JOIN sales.lines l ON l.id = o.id", {"read table:sales.orders", "read table:sales.lines"}),
    ("INSERT INTO crew (name) VALUES ('Ann'), ('Bo')", {"write table:crew"}),
    ("INSERT INTO crew SELECT * FROM guests", {"write table:crew", "read table:guests"}),
    ("UPDATE crew SET pay = pay + 1 WHERE id = 7", {"write table:crew"}),
    ("DELETE FROM crew WHERE left_on < '2020-01-01'", {"delete table:crew"}),
    ("WITH old AS (SELECT * FROM crew) SELECT count(*) FROM old", {"read table:crew"}),
    ("WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t WHERE n < 9) SELECT n FROM t", set()),
    ("CREATE TABLE crew (id int PRIMARY KEY, name text)", {"write table:crew"}),
    ("CREATE TABLE copy AS SELECT * FROM crew", {"write table:copy", "read table:crew"}),
    ("ALTER TABLE crew ADD COLUMN rank int", {"write table:crew"}),
    ("SELECT date_trunc('month', at), sum(pay) FROM ledger GROUP BY 1 ORDER BY 2 DESC LIMIT 5", {"read table:ledger"}),
    ("SELECT coalesce(nick, name) FROM crew WHERE name LIKE 'A%' OR name ILIKE 'b%'", {"read table:crew"}),
    ("SELECT 'sleep(5); drop table x' AS note", set()),
    ("BEGIN; UPDATE a SET x = 1 WHERE id = 2; COMMIT", {"write table:a"}),
    ("EXPLAIN SELECT * FROM crew", {"read table:crew"}),
    ("SELECT * FROM crew WHERE 1=1 AND age > 3", {"read table:crew"}),
    ("SELECT row_number() OVER (PARTITION BY team ORDER BY pay) FROM crew", {"read table:crew"}),
    ("MERGE INTO a USING b ON a.id = b.id WHEN MATCHED THEN UPDATE SET x = b.x", {"write table:a", "read table:b"}),
    ("MERGE INTO a USING b ON a.id = b.id WHEN MATCHED THEN DELETE", {"delete table:a", "read table:b"}),
    ("SELECT id FROM a UNION SELECT id FROM b", {"read table:a", "read table:b"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "touched"), EVERYDAY)
def test_everyday_statements_are_known_and_quiet(text: str, touched: set[str]) -> None:
    claims = analyse(text, place())
    assert touches(claims) == touched
    assert codes(claims) == set()


TELLING = [
    ("DELETE FROM crew", "", {"sql.unbounded"}),
    ("DELETE FROM crew WHERE 1 = 1 OR id = 3", "", {"sql.unbounded", "sql.injection"}),
    ("UPDATE crew SET pay = 0 WHERE TRUE", "", {"sql.unbounded"}),
    ("UPDATE crew SET pay = 0 WHERE NOT (2 < 1)", "", {"sql.unbounded"}),
    ("UPDATE crew SET pay = 0 WHERE id = id", "", {"sql.unbounded"}),
    ("WITH gone AS (DELETE FROM crew RETURNING *) SELECT * FROM gone", "", {"sql.unbounded"}),
    ("DROP TABLE crew", "", {"sql.destroys"}),
    ("TRUNCATE crew", "", {"sql.destroys", "sql.unbounded"}),
    ("ALTER TABLE crew DROP COLUMN pay", "", {"sql.destroys"}),
    ("SELECT 1; SELECT 2", "", {"sql.stacked"}),
    ("COPY crew TO PROGRAM 'gzip > /tmp/x.gz'", "postgres", {"sql.os_command", "sql.server"}),
    ("COPY crew FROM '/srv/crew.csv'", "postgres", {"sql.server_file"}),
    ("SELECT pg_read_file('/etc/hosts')", "postgres", {"sql.server_file", "sql.server"}),
    ("SELECT lo_import('/etc/passwd')", "", {"sql.server_file"}),
    ("SELECT name FROM crew INTO OUTFILE '/var/www/x.php'", "mysql", {"sql.server_file"}),
    ("LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE crew", "mysql", {"sql.server_file"}),
    ("SELECT load_file(0x2f6574632f706173737764)", "mysql", {"sql.server_file"}),
    ("EXEC master..xp_cmdshell 'whoami'", "tsql", {"sql.os_command"}),
    ("ATTACH DATABASE '/home/ada/other.db' AS o", "sqlite", {"sql.server_file"}),
    ("SELECT load_extension('./x.so')", "sqlite", {"sql.loads_code"}),
    ("CREATE EXTENSION plpython3u", "postgres", {"sql.loads_code", "sql.statement"}),
    ("CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS 'begin return 1; end'", "postgres", {"sql.defines_code"}),
    ("CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; END", "sqlite", {"sql.statement"}),
    ("SET GLOBAL general_log = 1", "mysql", {"sql.administers"}),
    ("PRAGMA writable_schema = 1", "sqlite", {"sql.administers", "sql.statement"}),
    ("GRANT ALL ON crew TO bob", "", {"sql.grants"}),
    ("CREATE USER bob IDENTIFIED BY 'x'", "mysql", {"sql.grants", "sql.statement"}),
    ("ALTER ROLE bob SUPERUSER", "postgres", {"sql.grants"}),
    ("SELECT table_name FROM information_schema.tables", "", {"sql.catalogue"}),
    ("SELECT sql FROM sqlite_master", "sqlite", {"sql.catalogue"}),
    ("SELECT usename, passwd FROM pg_shadow", "postgres", {"sql.credentials", "sql.catalogue"}),
    ("SELECT user, authentication_string FROM mysql.user", "mysql", {"sql.credentials"}),
    ("SELECT pg_sleep(9)", "postgres", {"sql.delays"}),
    ("SELECT IF(1=1, SLEEP(9), 0)", "mysql", {"sql.delays"}),
    ("WAITFOR DELAY '0:0:9'", "tsql", {"sql.delays", "sql.syntax"}),
    ("SELECT * FROM crew WHERE id = '1' OR '1'='1'", "", {"sql.injection"}),
    ("SELECT * FROM crew WHERE id = 1 OR 2 > 1", "", {"sql.injection"}),
    ("SELECT a, b FROM crew WHERE id = 1 UNION SELECT NULL, NULL", "", {"sql.injection"}),
    ("SELECT * FROM crew WHERE name = 'ann'-- ", "", {"sql.injection"}),
    ("SELECT/**/name/**/FROM/**/crew", "", {"sql.injection"}),
    ("SELECT 1 /*!50000 UNION SELECT 2 */", "mysql", {"sql.executable_comment"}),
    ("SELECT dblink_connect('host=db.example')", "postgres", {"sql.network", "sql.server"}),
    ("SELECT utl_http.request('http://a.example/') FROM dual", "oracle", {"sql.network"}),
    ("SELECT database_to_xml(true, true, '')", "postgres", {"sql.dumps"}),
    ("SELECT tidy_up(7)", "", {"sql.function"}),
    ("EXEC nightly_job", "tsql", {"sql.procedure"}),
    ("EXEC('DROP TABLE crew')", "tsql", {"sql.dynamic", "sql.destroys"}),
    ("EXECUTE IMMEDIATE 'DROP TABLE crew'", "oracle", {"sql.dynamic"}),
    ("DO $$ BEGIN PERFORM 1; END $$", "postgres", {"sql.dynamic"}),
    ("SHUTDOWN", "tsql", {"sql.administers", "sql.statement"}),
    ("SELECT FROM WHERE", "", {"sql.syntax"}),
    ("not a query at all", "", {"sql.syntax"}),
    ("", "", {"sql.syntax"}),
    ("SELECT * FROM read_csv('/etc/passwd')", "duckdb", {"sql.server_file"}),
    ("SELECT * FROM '/etc/passwd'", "duckdb", {"sql.server_file"}),
    ("SELECT 1 FROM openquery(other, 'select 1')", "tsql", {"sql.network"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "dialect", "expected"), TELLING)
@pytest.mark.parametrize("named", [True, False])
def test_whatever_reaches_beyond_rows_is_told(text: str, dialect: str, expected: set[str], named: bool) -> None:
    found = codes(analyse(text, place(dialect=dialect if named else "")))
    if named or not dialect:
        assert expected <= found
    else:
        assert found, "without its dialect it is at least opaque or signalled"


def test_a_name_that_hides_behind_a_common_table_expression_elsewhere_is_read() -> None:
    text = "SELECT * FROM (WITH payroll AS (SELECT 1 AS n) SELECT n FROM payroll) x, payroll"
    assert touches(analyse(text, place())) == {"read table:payroll"}
    assert touches(analyse("WITH payroll AS (SELECT * FROM payroll) SELECT * FROM payroll", place())) == {
        "read table:payroll"
    }


def test_an_unknown_dialect_takes_what_any_reading_claims() -> None:
    text = 'SELECT `id` FROM crew WHERE id = "x"'
    assert "read table:crew" in touches(analyse(text, place(dialect="klingon")))
    both = "SELECT 1 --1 FROM crew\n"
    assert "read table:crew" in touches(analyse(both, place()))


def test_a_command_of_the_server_is_read_as_a_shells_line() -> None:
    handed: list[str] = []
    analyse("COPY t FROM PROGRAM 'curl a.example'", place(handed, dialect="postgres"))
    assert handed == ["curl a.example"]


def test_files_of_the_server_are_named_and_memory_is_none() -> None:
    assert "read file:/etc/hosts" in touches(analyse("SELECT pg_read_file('/etc/hosts')", place(dialect="postgres")))
    assert touches(analyse("ATTACH DATABASE ':memory:' AS m", place(dialect="sqlite"))) == set()
