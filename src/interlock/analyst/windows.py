"""PowerShell and cmd: recognised, never followed.  No executor runs them, so every such text is opaque.

What it would have done is told by signals over words of the systems' own documentation, in the text as it stands, as
it reads without the usual obfuscation (carets, backticks, joined strings), and inside ``-EncodedCommand``.

>>> claims = analyse("powershell -enc " + "aQBlAHgA", Place(argument="command", root="/"))
>>> sorted(claims.opaque_codes), sorted(claims.signals)
(['windows.no_executor'], ['windows.encoded', 'windows.evaluates'])
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final, Literal

from interlock.analyst.claims import Claims, Place

MAX_CHARACTERS = 16 * 1024
_MAX_LAYERS = 4

_SIGNALS: Final = tuple(
    (code, re.compile(pattern, re.IGNORECASE))
    for code, pattern in (
        (
            "windows.evaluates",
            (
                r"\biex\b|\binvoke-expression\b|\binvoke-command\b|\[scriptblock\]::create|\badd-type\b|\.invoke\("
                r"|\breflection\.assembly\b|\bmshta\b|\bwscript\b|\bcscript\b|\bregsvr32\b|\brundll32\b"
                r"|\bmsbuild\b|\binstallutil\b|\bregasm\b|\bcmstp\b|\bodbcconf\b|\bforfiles\b"
            ),
        ),
        (
            "windows.downloads",
            (
                r"\bcertutil\b.{0,200}(?:-|/)(?:urlcache|verifyctl|url)\b|\bbitsadmin\b|\bstart-bitstransfer\b"
                r"|\bdownload(?:string|file|data)\b|\biwr\b|\birm\b|\binvoke-(?:webrequest|restmethod)\b"
                r"|\bnet\.webclient\b|\bdesktopimgdownldr\b|\bmpcmdrun\b.{0,200}-downloadfile"
                r"|\bcurl(?:\.exe)?\s+\S*https?:|\bmsxml2\.xmlhttp\b"
            ),
        ),
        (
            "windows.encoded",
            (
                r"\s[-/]e(?:c|n|nc|nco\w*)?\s+[A-Za-z0-9+/=]{8,}|\bfrombase64string\b|\bcertutil\b.{0,200}-(?:de"
                r"|en)code|\[char\]\s{0,8}(?:0x)?\d|-bxor\b|\bgzipstream\b|\bdeflatestream\b"
            ),
        ),
        (
            "windows.persists",
            (
                r"\breg(?:\.exe)?\s+(?:add|import|restore|load)\b|\bschtasks\b|\bregister-scheduledtask\b"
                r"|\bnew-service\b|\bsc(?:\.exe)?\s+(?:\\\\\S+\s+)?(?:create|config|failure)\b"
                r"|\bcurrentversion\\+run|\bset-itemproperty\b|\bnew-itemproperty\b|\bstartup\\|\bwinlogon\b"
                r"|\bnew-scheduledtask|\bat\s+\d\d?:\d\d|\b__eventfilter\b|\bsystemsetup\b|\bappinit_dlls\b"
                r"|\bimage file execution\b"
            ),
        ),
        (
            "windows.credentials",
            (
                r"\blsass\b|\bminidump\b|\bmimikatz\b|\bsekurlsa\b|\bprocdump\b|\bsave\s+(?:hklm"
                r"|hkey_local_machine)\\+(?:sam|system|security)|\bntds\.dit\b|\bntdsutil\b|\bcmdkey\b"
                r"|\bvaultcmd\b|\bconvertto-securestring\b|\bget-credential\b|\bconfig\\+sam\b|\bunattend\.xml\b"
                r"|\bwdigest\b|\bdpapi\b|\bsysvol\b.{0,200}\bcpassword\b|\bgpp\w*password\b|\blogin data\b"
                r"|\bwlan\s+show\s+profile"
            ),
        ),
        (
            "windows.destroys",
            (
                r"\bvssadmin\b.{0,200}\b(?:delete|resize)\b|\bwbadmin\s+delete\b|\bbcdedit\b"
                r"|\bformat(?:\.com)?\s+[a-z]:|\bremove-item\b.{0,200}-(?:recurse|force)|\brd\s+/s|\brmdir\s+/s"
                r"|\bdel\s+(?:/\w\s+)*/[fsq]|\bcipher\s+/w|\bclear-disk\b|\bformat-volume\b|\bdiskpart\b"
                r"|\bshadowcopy\s+delete\b|\bfsutil\b|\bremove-(?:computer|ad)\w*|\bsdelete\b"
            ),
        ),
        (
            "windows.disables",
            (
                r"\bset-mppreference\b|\badd-mppreference\b|\badvfirewall\b|\bnetsh\s+firewall\b|\bset-netfirewall"
                r"|\bdisable-\w+|\bwevtutil\s+(?:cl|clear-log|sl)\b|\bclear-eventlog\b|\bamsi\w*"
                r"|\bset-executionpolicy\b|\bexecutionpolicy\s+(?:bypass|unrestricted)|\s-ep?\s+bypass"
                r"|\bwindefend\b|\bdisableantispyware\b|\bauditpol\b|\benablelua\b|\bremove-etw\w*"
                r"|\bsc(?:\.exe)?\s+(?:stop|delete)\b|\btaskkill\b|\bstop-service\b|\bnet1?\s+stop\b"
            ),
        ),
        (
            "windows.accounts",
            (
                r"\bnet1?(?:\.exe)?\s+(?:user|localgroup|group|accounts)\b|\bnew-localuser\b"
                r"|\badd-localgroupmember\b|\bnew-aduser\b|\badd-adgroupmember\b|\bset-adaccount\w*|\brunas\b"
                r"|\btakeown\b|\bicacls\b|\bset-acl\b"
            ),
        ),
        (
            "windows.discovers",
            (
                r"\bsysteminfo\b|\bwhoami\s+/|\bnltest\b|\bdsquery\b|\bget-ad\w+|\bget-net\w+|\badfind\b|\bwmic\b"
                r"|\bget-wmiobject\b|\bget-ciminstance\b|\bquery\s+(?:user|session)\b|\btasklist\b"
                r"|\breg(?:\.exe)?\s+query\b|\bquser\b|\bipconfig\b"
            ),
        ),
        (
            "windows.moves",
            (
                r"\bpsexec\b|\bwinrm\b|\bwinrs\b|\benter-pssession\b|\bnew-pssession\b|/node:|\bnet1?\s+use\b"
                r"|\bmstsc\b|\bcopy\b.{0,200}\\\\[\w.-]+\\(?:admin|[a-z])\$"
            ),
        ),
    )
)
_VERBS = (
    "Get|Set|New|Remove|Add|Start|Stop|Invoke|Out|Write|Read|Import|Export|ConvertTo|ConvertFrom|Copy"
    "|Move|Rename|Test|Enable|Disable|Restart|Register|Unregister|Clear|Select|Where|ForEach|Sort"
    "|Measure|Format|Expand|Compress|Install|Uninstall|Update|Join|Split|Resolve|Enter|Exit|Push|Pop"
    "|Mount|Dismount|Suspend|Resume|Wait|Send|Receive|Grant|Revoke|Block|Unblock|Find|Save|Show|Hide"
)
_NOT_CMDLETS = (
    r"(?!(?:Format|Split|Sort|Update|Start|Test|Install|Get|Set|New|Add|Read|Show|Find|Copy|Move|Join"
    r"|Select|Push|Pop|Save|Write)-(?:in|up|out|on|off|by|to|date|time|only|line|end)\b)"
)
_POWERSHELL = re.compile(
    (
        rf"(?<![\w/.-]){_NOT_CMDLETS}(?:{_VERBS})-[A-Z][A-Za-z]{{2,40}}(?=[\s;|)}}'\"]|\Z)|\$env:\w"
        rf"|\$PSVersionTable\b|\$ExecutionContext\b|\[(?:System|Net|Convert|IO|Text|Runtime\w*|Reflection"
        rf"|Diagnostics)\.[\w.]+\]|\b(?:iex|iwr|irm)\b\s{0, 8}\(|\|\s{0, 8}(?:iex|Invoke-Expression"
        rf"|%\s{0, 8}\{{|\?\s{0, 8}\{{|ft\b|fl\b)|\bNew-Object\b|\[(?:Convert|char|byte\[\]|scriptblock|ref"
        rf"|void|xml|wmiclass|adsi|appdomain)\]|(?:^|[\s;&|(])(?:powershell|pwsh)(?:\.exe)?(?:\s+-|\s{0, 8}$"
        rf"|\")"
    ),
)
_POWERSHELL_ANY = re.compile(
    (
        r"(?:^|[\s;&|(\"\\])(?:powershell|pwsh)(?:\.exe)?[\"\s]+(?:.{0,80}\s)?[-/](?:e|ec|en|enc\w*|c"
        r"|command|nop|noprofile|noni\w*|w|window\w*|ep|ex\w*|sta|f|file|v\w*)\b|\binvoke-(?:expression"
        r"|webrequest|restmethod|command|mimikatz)\b|\bnew-object\s+(?:system\.)?net\.|(?:^|[;"
        r"|&(]\s{0,8})iex\b\s{0,8}[(\s$]"
    ),
    re.IGNORECASE,
)
_CMD = re.compile(
    (
        r"(?:^|[\s;&|(\"\\@])cmd(?:\.exe)?[\"\s]+/[ckrv]\b|%(?:(?:local)?appdata|temp|tmp|comspec"
        r"|systemroot|systemdrive|windir|userprofile|programfiles|programdata|programw6432|username"
        r"|userdomain|computername|public|home(?:path|drive)|allusersprofile|logonserver|pathext"
        r"|errorlevel)(?:\(x86\))?(?::[^%\n]{0,80})?%|(?:^|[;&|(\n]\s{0,8}@?)(?:echo\s+off|setlocal|@echo"
        r"|rem\s|for\s+/[fdlr]\s+%|if\s+(?:not\s+)?(?:exist|defined|errorlevel)\s+|goto\s+:?\w+\s{0,8}$"
        r"|start\s+/\w)|(?:^|[\s;&|(\"\\])(?:certutil|bitsadmin|schtasks|wmic|vssadmin|wbadmin|bcdedit"
        r"|rundll32|mshta|regsvr32|wevtutil|cscript|wscript|netsh|icacls|takeown|fsutil|cmdkey|nltest"
        r"|dsquery|auditpol|attrib|cacls|tasklist|taskkill|systeminfo|gpresult|diskpart|sc|reg|net1?"
        r"|esentutl|ntdsutil|cipher|xcopy|robocopy|mklink|forfiles|msiexec|installutil|msbuild|regasm"
        r"|odbcconf|cmstp|driverquery|w32tm|vaultcmd|quser|pcalua|psexec(?:64)?"
        r"|procdump(?:64)?)(?:\.exe)\b|(?:^|[;&|(\n]\s{0,8})(?:certutil|bitsadmin|schtasks|wmic|vssadmin"
        r"|wbadmin|bcdedit|rundll32|mshta|regsvr32|wevtutil|cscript|wscript|netsh|icacls|takeown|fsutil"
        r"|cmdkey|nltest|dsquery|auditpol|cacls|tasklist|taskkill|systeminfo|gpresult|diskpart|esentutl"
        r"|ntdsutil|xcopy|robocopy|mklink|forfiles|msiexec|vaultcmd|quser|ipconfig)\b(?=\s|$)|(?:^|[;&"
        r"|(\n]\s{0,8})(?:reg\s+(?:add|delete|query|save|export|import|load|restore|copy)\b"
        r"|sc\s+(?:\\\\\S+\s+)?(?:create|config|delete|stop|start|query|sdset|failure)\b|net1?\s+(?:user"
        r"|localgroup|group|use|share|stop|start|view|accounts|session)\b|rd\s+/s|rmdir\s+/s|del\s+/[fsqa]"
        r"|copy\s+/[byz]|type\s+[a-z]:\\|dir\s+/\w|format\s+[a-z]:|attrib\s+[+-][rhsa]|query\s+(?:user"
        r"|session)\b|whoami\s+/\w+)|(?:^|[\s\"'&])[A-Za-z]:\\[^\n\"']{1,200}\.(?:exe|bat|cmd|ps1|vbs|dll"
        r"|msi|scr|hta|js)\b|\b(?:HKLM|HKCU|HKEY_[A-Z_]+)(?::?\\)"
    ),
    re.IGNORECASE,
)
_ENCODED = re.compile(r"[-/]e(?:c|n|nc|nco\w*)?[\s\"']+([A-Za-z0-9+/]{8,}={0,2})", re.IGNORECASE)
_CALLED = re.compile(r"frombase64string\(\s{0,8}['\"]([A-Za-z0-9+/]{4,}={0,2})['\"]", re.IGNORECASE)


def recognise(text: str) -> Literal["powershell", "cmd"] | None:
    """Which of the two a text is in, if it is in either."""
    text = text[:MAX_CHARACTERS]
    if not re.search(r"[A-Za-z]{2}", text):
        return None
    if _POWERSHELL.search(text) is not None or _POWERSHELL_ANY.search(text) is not None:
        return "powershell"
    plain = _plain(text)
    if _CMD.search(text) is not None or (plain != text and _CMD.search(plain) is not None):
        return "cmd"
    return None


def analyse(text: str, place: Place) -> Claims:
    """Claims about one text of PowerShell or cmd: opaque always."""
    claims = Claims(place)
    claims.opaque("windows.no_executor")
    if len(text) > MAX_CHARACTERS:
        claims.opaque("windows.too_large")
    layer = text[:MAX_CHARACTERS]
    for _ in range(_MAX_LAYERS):
        _note(layer, claims)
        layer = _inside(layer)
        if not layer:
            break
    return claims


def _note(text: str, claims: Claims) -> None:
    plain = _plain(text)
    for code, pattern in _SIGNALS:
        if pattern.search(text) is not None or pattern.search(plain) is not None:
            claims.signal(code)
    if plain != text and ("^" in text or "`" in text):
        claims.signal("windows.obfuscated")
    if {"windows.downloads", "windows.evaluates"} <= claims.signals.keys():
        claims.signal("download.executed")


def _plain(text: str) -> str:
    joined = re.sub(r"['\"]\s{0,8}\+\s{0,8}['\"]", "", text)
    return re.sub(r"[\^`](?=[A-Za-z\"'(/ -])", "", joined)


def _inside(text: str) -> str:
    found = (*_ENCODED.findall(text)[:8], *_CALLED.findall(text)[:8])
    return "\n".join(filter(None, map(_decoded, found)))[:MAX_CHARACTERS]


def _decoded(encoded: str) -> str:
    try:
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        return ""
    wide = raw[1::2].count(0) * 4 > len(raw)
    return raw.decode("utf-16-le" if wide else "utf-8", "replace")
