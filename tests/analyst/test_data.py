"""Data: secrets by their formats, personal data by check digits, and nothing in identifiers and digests."""

import pytest

from interlock.analyst.data import analyse, personal, secrets
from support.analysing import place

B62 = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7cF0xR"
SECRETS = [
    ("AKIA" + "ABCDEFGHIJ234567", "secret.aws_key"),
    ("ghp_" + B62 + "abcd", "secret.github_token"),
    ("github_pat_" + B62 * 2, "secret.github_token"),
    ("glpat-" + B62[:20], "secret.gitlab_token"),
    ("xoxb-" + "123456789012-123456789012-" + B62[:24], "secret.slack_token"),
    ("https://hooks.slack.com/services/T0000000A/B0000000A/" + B62[:24], "secret.slack_token"),
    ("sk_live_" + B62[:24], "secret.stripe_key"),
    ("sk-" + B62 + B62[:16], "secret.api_key"),
    ("sk-ant-api03-" + B62 * 2, "secret.api_key"),
    ("AIza" + B62 + "abc", "secret.api_key"),
    ("-----BEGIN RSA PRIVATE KEY-----", "secret.private_key"),
    ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl", "secret.private_key"),
    ("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U", "secret.jwt"),
    ("SG." + B62[:22] + "." + B62 + B62[:11], "secret.sendgrid_key"),
    ("pypi-AgEIcHlwaS5vcmc" + B62 * 3, "secret.pypi_token"),
    ("//registry.example.net/:_authToken=npm_" + B62 + "abcd", "secret.npm_token"),
    ("110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsawe", "secret.telegram_token"),
    ("AccountKey=" + B62 * 2 + B62[:22] + "==", "secret.azure_storage_key"),
    ("hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEfGh", "secret.api_key"),
    ("password = 'tr0ub4dor&3x'", "secret.assigned"),
    ("DB_PASSWORD=s3cr3tPassw0rd9", "secret.assigned"),
    ('{"client_secret": "9f8e7d6c5b4a3f2e1d0c"}', "secret.assigned"),
    ("the token is 7hQ2mX9pLw4Z", "secret.assigned"),
    ("root:$6$saltsalt$Zx8Yw7Vu6Ts5Rq4Po3Nm2Lk1", "secret.password_hash"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code"), SECRETS)
def test_secrets_are_found(text: str, code: str) -> None:
    assert code in secrets(text)
    assert ("secret", code) in analyse(f"see: {text} .", place()).findings


PERSONAL = [
    ("ann.lee@corp.example", "personal.email"),
    ("+44 20 7946 0958", "personal.phone"),
    ("(212) 555-0147", "personal.phone"),
    ("212-555-0147", "personal.phone"),
    ("4111 1111 1111 1111", "personal.card"),
    ("5500005555555559", "personal.card"),
    ("3782 822463 10005", "personal.card"),
    ("GB33BUKB20201555555555", "personal.iban"),
    ("DE75 5121 0800 1245 1261 99", "personal.iban"),
    ("FR76 3000 6000 0112 3456 7890 189 paid", "personal.iban"),
    ("536-90-4399", "personal.us_ssn"),
    ("54362315K", "personal.es_dni"),
    ("X2482300W", "personal.es_nie"),
    ("RCCMNL83S18D969H", "personal.it_codice"),
    ("390.533.447-05", "personal.br_cpf"),
    ("2 95 10 99 126 111 93", "personal.fr_nir"),
    ("2341 2341 2346", "personal.in_aadhaar"),
    ("756.9217.0769.85", "personal.ch_ahv"),
    ("85.07.30-033.28", "personal.be_nn"),
    ("880320-0016", "personal.se_personnummer"),
    ("131052-308T", "personal.fi_hetu"),
    ("360426199101010071", "personal.cn_ric"),
]


@pytest.mark.parametrize(("text", "code"), PERSONAL)
def test_personal_data_is_found(text: str, code: str) -> None:
    assert code in personal(f"number: {text}, thanks")


HARMLESS = [
    "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "d41d8cd98f00b204e9800998ecf8427e",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "report_2024-05-19_v3.pdf", "IMG_20240519_101112.jpg",
    "2024-05-19T10:11:12Z", "1716110000123", "10.0.0.1", "v1.2.3-rc.4+build.5", "0000 0000 0000 0000", "4111 1111 1111 1112",
    "000-00-0000", "password: ", "password=YOUR_PASSWORD", "API_KEY=<your key>", "token=${TOKEN}", "secret: {{ .Values.secret }}",
    "password = os.environ['PW']", "the password is required", "tokens: 4096", "order #W3388163", "credit_card_4421486",
    "https://a.example/commit/9fceb02d0ae598e95dc970b74767f19372d61af8", "arn:aws:iam::123456789012:role/x", "ISBN 978-3-16-148410-0",
    "git+ssh://git@github.com/a/b.git"[:9], "x" * 3000, "1234567890" * 50, "GB00BUKB20201555555555", "max_tokens: 1000",
    "pk_test_examplekeyid", "lorem ipsum dolor sit amet", "", "a1b2c3", "12:34:56:78:9a:bc", "POINT(4.895168 52.370216)",
]  # fmt: skip


@pytest.mark.parametrize("text", HARMLESS)
def test_identifiers_digests_and_placeholders_are_neither(text: str) -> None:
    assert secrets(text) == personal(text) == frozenset()


def test_a_secret_between_two_chunks_is_found() -> None:
    for offset in range(8150, 8200, 7):
        assert "secret.github_token" in secrets(" " * offset + "ghp_" + B62 + "abcd" + " " * 9000)
