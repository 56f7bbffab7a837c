"""Filters of text, of which some decode."""

from __future__ import annotations

from interlock.analyst.shell import outputs
from interlock.analyst.shell.apply import perform
from interlock.analyst.shell.files import write
from interlock.analyst.shell.use import Handler, Use
from interlock.analyst.shell.words import NONE, Data, Word, unknown


def base(use: Use, words: list[Word]) -> Data | None:
    for word in use.found.operands:
        use.reading(word)
    data = use.content if use.content is not None else use.stdin
    data = Data(data.text, data.tags | use.read)
    if use.found.has("-d -D --decode -di"):
        return outputs.unbase(data, 32 if use.found.path[0] == "base32" else 64)
    return unknown(data.tags)


def xxd(use: Use, _words: list[Word]) -> Data | None:
    if not use.found.has("-r -revert"):
        return None
    data = use.stdin
    for word in use.found.operands[:1]:
        use.reading(word)
        data = use.content or data
    for word in use.found.operands[1:2]:
        use.writing(word, append=True)
    return outputs.unhex(data) if use.found.has("-p -ps -plain -postscript") else outputs.decoded(data, None)


def tr(use: Use, words: list[Word]) -> Data | None:
    return outputs.translate(use.stdin, words)


def rev(use: Use, _words: list[Word]) -> Data | None:
    for word in use.found.operands:
        use.reading(word)
    return outputs.reverse(use.content if use.content is not None else use.stdin)


def filtered(use: Use, _words: list[Word]) -> Data | None:
    """grep, sort, head: some of the lines that were read."""
    perform(use)
    if use.content is not None:
        return unknown(use.read | use.stdin.tags)
    return outputs.filtered(use.stdin)


def base_name(use: Use, _words: list[Word]) -> Data | None:
    """basename and dirname of a known path."""
    operands = use.found.operands
    if len(operands) not in (1, 2) or not operands[0].known:
        return unknown(NONE.union(*(word.tags for word in operands)))
    head, _, tail = operands[0].text.rstrip("/").rpartition("/")
    if use.found.path[0] == "dirname":
        return Data((head or ("/" if operands[0].text.startswith("/") else ".")) + "\n", operands[0].tags)
    ending = operands[1].text if len(operands) > 1 else ""
    return Data((tail.removesuffix(ending) if ending != tail else tail) + "\n", operands[0].tags)


def cat(use: Use, _words: list[Word]) -> Data | None:
    for word in use.found.operands:
        use.reading(word)
    if use.content is None:
        return use.stdin
    return Data(use.content.text, use.content.tags | use.read)


def openssl_enc(use: Use, _words: list[Word]) -> Data | None:
    """``openssl enc``: with ``-d`` it decodes."""
    decodes = use.found.has("-d")
    plain = use.found.has("-base64 -a") or use.found.path[-1] == "base64"
    for _, role, word in use.found.values:
        if role == "read":
            use.reading(word)
    data = use.content or use.stdin
    result = unknown(data.tags | use.read)
    if decodes:
        result = (
            outputs.unbase(data)
            if plain and not any("aes" in one or "des" in one for one in use.found.given)
            else outputs.decoded(unknown(result.tags), None)
        )
    for _, role, word in use.found.values:
        if role == "write":
            write(use.walker, word, result)
    return result


HANDLERS: dict[str, Handler] = {
    "base": base,
    "basename": base_name,
    "cat": cat,
    "filter": filtered,
    "openssl-enc": openssl_enc,
    "rev": rev,
    "tr": tr,
    "xxd": xxd,
}
