"""The ZITADEL stand-in: ZITADEL's login contract, its storage shape and its ways to fail."""
