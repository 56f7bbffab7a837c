"""Data in an argument: secrets by their issuers' formats, and personal data by shape and check digit.

Secrets are found by detect-secrets' offline detectors (never its verification, which would call the network) and by
assignment to a telling name.  Personal numbers must pass their own check digits (python-stdnum), so that identifiers,
digests and versions rarely count.  A finding labels an argument and decides nothing.

>>> sorted(secrets("ghp_" + "aB3" * 12)), sorted(personal("GB33 BUKB 2020 1555 5555 55"))
(['secret.github_token'], ['personal.iban'])
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from detect_secrets.plugins.aws import AWSKeyDetector
from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.discord import DiscordBotTokenDetector
from detect_secrets.plugins.github_token import GitHubTokenDetector
from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
from detect_secrets.plugins.jwt import JwtTokenDetector
from detect_secrets.plugins.mailchimp import MailchimpDetector
from detect_secrets.plugins.npm import NpmDetector
from detect_secrets.plugins.openai import OpenAIDetector
from detect_secrets.plugins.private_key import PrivateKeyDetector
from detect_secrets.plugins.pypi_token import PypiTokenDetector
from detect_secrets.plugins.sendgrid import SendGridDetector
from detect_secrets.plugins.slack import SlackDetector
from detect_secrets.plugins.square_oauth import SquareOAuthDetector
from detect_secrets.plugins.stripe import StripeDetector
from detect_secrets.plugins.telegram_token import TelegramBotTokenDetector
from detect_secrets.plugins.twilio import TwilioKeyDetector
from stdnum import iban, luhn
from stdnum.be import nn
from stdnum.br import cpf
from stdnum.ch import ssn as ahv
from stdnum.cn import ric
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.in_ import aadhaar
from stdnum.it import codicefiscale
from stdnum.se import personnummer
from stdnum.us import ssn

from interlock.analyst.claims import Claims, Place

MAX_CHARACTERS = 256 * 1024
_CHUNK = 8192
_OVERLAP = 512

# What has to stand in a text before a detector is asked: most texts hold none of it.
_DETECTORS: Final[tuple[tuple[str, str, RegexBasedDetector], ...]] = (
    ("secret.aws_key", r"A3T|AKIA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA|ASIA|aws", AWSKeyDetector()),
    ("secret.azure_storage_key", r"AccountKey", AzureStorageKeyDetector()),
    ("secret.discord_token", r"[MNO][\w-]{23,25}\.", DiscordBotTokenDetector()),
    ("secret.github_token", r"gh[pousr]_", GitHubTokenDetector()),
    ("secret.gitlab_token", r"gl[a-z]{2,6}-|GR1348941", GitLabTokenDetector()),
    ("secret.jwt", r"eyJ", JwtTokenDetector()),
    ("secret.mailchimp_key", r"-us[0-9]", MailchimpDetector()),
    ("secret.npm_token", r"_authToken", NpmDetector()),
    ("secret.openai_key", r"T3BlbkFJ", OpenAIDetector()),
    ("secret.private_key", r"PRIVATE KEY|PuTTY", PrivateKeyDetector()),
    ("secret.pypi_token", r"pypi-", PypiTokenDetector()),
    ("secret.sendgrid_key", r"SG\.", SendGridDetector()),
    ("secret.slack_token", r"xox|hooks\.slack", SlackDetector()),
    ("secret.square_token", r"sq0", SquareOAuthDetector()),
    ("secret.stripe_key", r"[rs]k_live", StripeDetector()),
    ("secret.telegram_token", r"[0-9]{8,10}:[0-9A-Za-z_-]{35}", TelegramBotTokenDetector()),
    ("secret.twilio_key", r"(?:AC|SK)[a-z0-9]{32}", TwilioKeyDetector()),
)
_HINTS: Final = tuple((code, re.compile(hint, re.IGNORECASE), one) for code, hint, one in _DETECTORS)
_ANY_HINT: Final = re.compile("|".join(f"(?:{hint})" for _, hint, _ in _DETECTORS), re.IGNORECASE)
_MORE: Final = (
    (
        "secret.api_key",
        re.compile(r"\b(?:sk-(?:ant-|proj-|or-)?[A-Za-z0-9_-]{32,200}|AIza[0-9A-Za-z_-]{35}|hf_[A-Za-z]{34})\b"),
    ),
    ("secret.github_token", re.compile(r"\bgithub_pat_\w{60,255}\b")),
    ("secret.private_key", re.compile(r"\bAGE-SECRET-KEY-1[A-Z0-9]{58}\b")),
    ("secret.digital_ocean", re.compile(r"\bdo[opr]_v1_[0-9a-f]{64}\b")),
    ("secret.password_hash", re.compile(r"\$(?:2[aby]|5|6|y|argon2id?)\$[./A-Za-z0-9$=,]{20,200}")),
)
_ASSIGNED = re.compile(
    (
        r"(?<![A-Za-z])(?:passw(?:or)?d|passwd|pwd|passphrase|secret|token|api_?-?key|access_?-?key"
        r"|secret_?-?key|client_?-?secret|auth_?-?token|private_?-?key|credentials?)[\"']?\s{0,3}(?:="
        r"|:(?!:)|\bis\b)\s{0,3}[\"']?([^\s\"',;&<>(){}\[\]]{6,256})"
    ),
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    (
        r"\A(?:your|my|the|an?|some|example|sample|test|dummy|change|replace|insert|fake|null|none|true"
        r"|false|undefined|todo|env|os|process|config|settings|self|secret|password|token|redacted"
        r"|placeholder)(?:[^a-z]|\Z|me\b)|[$%{<*]|x{4,}|\.{3}|\*{3}"
    ),
    re.IGNORECASE,
)
_SECRET_PARAMETER = re.compile(
    r"(?:access_?token|api_?key|auth|token|secret|password|passwd|pwd|sig|signature|client_secret|session_?id)=(.{8,})",
    re.IGNORECASE | re.DOTALL,
)
_MIN_ENTROPY = 3.0
_SHORT = 12

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,6}(?![\w-])")
_PHONE = re.compile(
    r"(?<![\w.+/-])(?:\+[1-9]\d{0,2}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){2,4}"
    r"|\(\d{3}\) ?\d{3}-\d{4}|[2-9]\d{2}-\d{3}-\d{4})(?![\w-])"
)
_CARD = re.compile(r"(?<![\w.-])(?:\d{4}[ -]?){3}\d{4}(?![\w-])|(?<![\w.-])3[47]\d{2}[ -]?\d{6}[ -]?\d{5}(?![\w-])")
_MIN_DIGITS = 2  # A card number is no run of one digit.
_CARD_NETWORK = re.compile(r"4|5[1-5]|2(?:2[2-9]|[3-6]|7[01]|720)|3[47]|35(?:2[89]|[3-8])|6(?:011|4[4-9]|5)")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?![A-Za-z0-9])")
_NATIONAL: Final[tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...]] = tuple(
    (code, re.compile(rf"(?<![\w.-]){pattern}(?![\w-])"), valid)
    for code, pattern, valid in (
        ("personal.us_ssn", r"\d{3}-\d{2}-\d{4}", ssn.is_valid),
        ("personal.es_dni", r"\d{8}-?[A-Z]", dni.is_valid),
        ("personal.es_nie", r"[XYZ]-?\d{7}-?[A-Z]", nie.is_valid),
        ("personal.fr_nir", r"[12] ?\d{2} ?(?:0[1-9]|1[0-2]) ?\d[\dAB] ?\d{3} ?\d{3} ?\d{2}", nir.is_valid),
        ("personal.it_codice", r"[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z]", codicefiscale.is_valid),
        ("personal.br_cpf", r"\d{3}\.\d{3}\.\d{3}-\d{2}", cpf.is_valid),
        ("personal.in_aadhaar", r"[2-9]\d{3} \d{4} \d{4}", aadhaar.is_valid),
        ("personal.cn_ric", r"[1-9]\d{5}(?:19|20)\d{9}[\dX]", ric.is_valid),
        ("personal.ch_ahv", r"756\.\d{4}\.\d{4}\.\d{2}", ahv.is_valid),
        ("personal.be_nn", r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}", nn.is_valid),
        ("personal.se_personnummer", r"(?:19|20)?\d{6}[-+]\d{4}", personnummer.is_valid),
        ("personal.fi_hetu", r"\d{6}[-+A]\d{3}[0-9A-Y]", hetu.is_valid),
    )
)


def analyse(text: str, place: Place) -> Claims:
    """Claims about the data in one text: findings alone."""
    claims = Claims(place)
    examine(text, claims)
    return claims


def examine(text: str, claims: Claims) -> None:
    """Add what is found in one text."""
    if len(text) > MAX_CHARACTERS:
        claims.opaque("data.too_large")
    for code in sorted(secrets(text)):
        claims.find("secret", code)
    for code in sorted(personal(text)):
        claims.find("personal", code)


def secrets(text: str) -> frozenset[str]:
    """The kinds of secret in a text."""
    found = set[str]()
    for chunk in _chunks(text):
        found.update(code for code, pattern in _MORE if pattern.search(chunk) is not None)
        if _ANY_HINT.search(chunk) is not None:
            found.update(_detected(chunk))
        if any(_random(one) for one in _ASSIGNED.findall(chunk)):
            found.add("secret.assigned")
    return frozenset(found)


def personal(text: str) -> frozenset[str]:
    """The kinds of personal data in a text."""
    found = set[str]()
    for chunk in _chunks(text):
        if "@" in chunk and _EMAIL.search(chunk) is not None:
            found.add("personal.email")
        if re.search(r"\d.{0,3}\d.{0,3}\d", chunk) is not None:
            found.update(_numbers(chunk))
    return frozenset(found)


def names_secret(pair: str) -> bool:
    """Whether a query parameter, spelled ``name=value``, hands over what its name says is a secret."""
    found = _SECRET_PARAMETER.fullmatch(pair)
    return found is not None and _random(found[1])


def _chunks(text: str) -> Iterator[str]:
    bounded = text[:MAX_CHARACTERS]
    for start in range(0, len(bounded), _CHUNK):
        yield bounded[start : start + _CHUNK + _OVERLAP]


def _detected(chunk: str) -> Iterator[str]:
    for code, hint, detector in _HINTS:
        if hint.search(chunk) is not None and any(True for _ in detector.analyze_string(chunk)):
            yield code


def _random(value: str) -> bool:
    """Whether a value could be a secret rather than its placeholder or a reference to it."""
    if _PLACEHOLDER.search(value) is not None or "/" in value[:1] or "://" in value:
        return False
    kinds = (any(char.isdigit() for char in value), any(char.isalpha() for char in value))
    return all(kinds) and _entropy(value) >= _MIN_ENTROPY - (0.5 if len(value) < _SHORT else 0)


def _entropy(value: str) -> float:
    return -sum(count / len(value) * math.log2(count / len(value)) for count in Counter(value).values())


def _numbers(chunk: str) -> Iterator[str]:
    if _PHONE.search(chunk) is not None:
        yield "personal.phone"
    if any(_is_card(re.sub(r"\D", "", one)) for one in _CARD.findall(chunk)[:64]):
        yield "personal.card"
    if any(_is_iban(one) for one in _IBAN.findall(chunk)[:64]):
        yield "personal.iban"
    for code, pattern, valid in _NATIONAL:
        if any(valid(one) for one in pattern.findall(chunk)[:64]):
            yield code


def _is_card(digits: str) -> bool:
    return _CARD_NETWORK.match(digits) is not None and luhn.is_valid(digits) and len(set(digits)) >= _MIN_DIGITS


def _is_iban(text: str) -> bool:
    """A valid number, or one followed by a word that the shape swallowed."""
    parts = text.split(" ")
    return any(iban.is_valid("".join(parts[:end])) for end in range(len(parts), 0, -1))
