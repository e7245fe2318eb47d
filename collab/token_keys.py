"""The keys that sign and verify tokens, as the settings name them: given in a variable, or kept in a file."""

from pathlib import Path

from collab import secret_file
from collab.access.keys import NO_KEYS, KeySet, parse_pem
from collab.access.tokens import SharedSecret, TokenVerifier
from collab.errors import InvalidRequest
from collab.settings import Settings


def signing_key(settings: Settings) -> SharedSecret:
    """Return this server's own key: COLLAB_SECRET, or the secret file's, which is created if there is none.

    Raises InvalidRequest when the secret file cannot be used.
    """
    if settings.secret is not None:
        return SharedSecret(settings.secret.get_secret_value().encode())
    return secret_file.read_or_create(settings.secret_path)


def issuer_keys(settings: Settings) -> KeySet:
    """Return the public keys of COLLAB_TOKEN_PUBLIC_KEY. Raises InvalidRequest when they cannot be read."""
    given = settings.token_public_key
    if given is None:
        return NO_KEYS
    try:
        return parse_pem(_pem(given))
    except UnicodeDecodeError:
        raise InvalidRequest("COLLAB_TOKEN_PUBLIC_KEY names a file that is not text; name a PEM file.") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidRequest(
            f"COLLAB_TOKEN_PUBLIC_KEY cannot be read ({reason}): set it to PEM text or to the path of a PEM file."
        ) from None
    except InvalidRequest as error:
        raise InvalidRequest(f"COLLAB_TOKEN_PUBLIC_KEY cannot be used. {error}") from None


def token_verifier(settings: Settings, key: SharedSecret) -> TokenVerifier:
    """Return a verifier of the tokens that the settings accept. Raises InvalidRequest like `issuer_keys`."""
    return TokenVerifier(
        key if settings.secret_counts else None,
        audience=settings.token_audience or None,
        issuers=issuer_keys(settings),
        issuer=settings.token_issuer or None,
        skew_s=settings.token_leeway_s,
        eternal=settings.token_exp_optional,
        claims=settings.claim_names,
    )


def _pem(given: str) -> str:
    if "-----BEGIN" in given:
        return given.replace("\\n", "\n")  # environment files often spell a line break as two characters
    return Path(given).expanduser().read_text()
