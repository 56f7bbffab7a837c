"""The language that crosses trust boundaries: frozen values, one strict codec, signing, the channel's frames.

Nothing here does I/O of its own, reads a clock or draws randomness, and nothing here imports another part of
the package.
"""
