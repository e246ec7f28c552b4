"""Authlib signs a person in, PyJWT verifies the access token.

Lines of JSON carry the talk with the test: first comes our part; then we send a
person somewhere and hear where the browser came back; our last word is what we
learned. Debian's Authlib 1.2 and PyPI's 1.9 both run it.
"""

import json
import sys
import warnings

# Authlib 1.x keeps authlib.jose, which is all that 1.2 has, and says it will go.
warnings.filterwarnings("ignore", message="authlib.jose module is deprecated")

import jwt
import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, JsonWebToken
from authlib.oidc.core import CodeIDToken
from authlib.oidc.core.util import create_half_hash


def hear():
    return json.loads(sys.stdin.readline())


def say(word):
    print(json.dumps(word), flush=True)


part = hear()
response = requests.get(part["issuer"] + "/.well-known/openid-configuration", timeout=10)
response.raise_for_status()
metadata = response.json()
assert metadata["issuer"] == part["issuer"], metadata["issuer"]


def judge_id_token(tokens, nonce):
    """OpenID Connect Core §3.1.3.7, by Authlib, which fetches no keys itself."""
    params = {"nonce": nonce, "client_id": part["client_id"]}
    # Authlib 1.2 knows no hash for EdDSA, and takes every at_hash to be wrong.
    if create_half_hash("", part["alg"]) is not None:
        params["access_token"] = tokens["access_token"]
    keys = JsonWebKey.import_key_set(requests.get(metadata["jwks_uri"], timeout=10).json())
    claims = JsonWebToken([part["alg"]]).decode(
        tokens["id_token"],
        keys,
        claims_cls=CodeIDToken,
        claims_options={"iss": {"essential": True, "value": part["issuer"]}, "aud": {"essential": True, "value": part["client_id"]}},
        claims_params=params,
    )
    claims.validate(leeway=0)
    return claims


keys = jwt.PyJWKClient(metadata["jwks_uri"])


def judge_access_token(token, audience=part["audience"]):
    """RFC 9068 §4, by PyJWT, which leaves the type to its caller."""
    if jwt.get_unverified_header(token).get("typ") != "at+jwt":
        raise jwt.InvalidTokenError("typ")
    key = keys.get_signing_key_from_jwt(token).key
    return jwt.decode(
        token,
        key,
        algorithms=["ES256", "RS256", "PS256", "EdDSA"],
        issuer=part["issuer"],
        audience=audience,
        options={"require": ["iss", "sub", "aud", "exp", "iat", "jti", "client_id"]},
    )


def call(token):
    return requests.get(part["api"], headers={"Authorization": "Bearer " + token}, timeout=10)


def refusals(tokens):
    refused = []
    try:
        judge_access_token(tokens["access_token"], "https://invoices.example.com")
    except jwt.InvalidAudienceError:
        refused.append("another audience")
    try:
        judge_access_token(tokens["id_token"], part["client_id"])
    except jwt.InvalidTokenError as err:
        if str(err) == "typ":
            refused.append("an ID token as access token")
    if call(tokens["id_token"]).status_code == 401:
        refused.append("an ID token at the API")
    return refused


app = OAuth2Session(
    part["client_id"],
    part["client_secret"],
    scope=part["scope"],
    redirect_uri=part["redirect_uri"],
    token_endpoint_auth_method="client_secret_basic",
    code_challenge_method="S256",
)
verifier, nonce = generate_token(48), generate_token()
url, state = app.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
say(url)
tokens = app.fetch_token(metadata["token_endpoint"], authorization_response=hear(), state=state, code_verifier=verifier)
id_token = judge_id_token(tokens, nonce)
userinfo = app.get(metadata["userinfo_endpoint"])
userinfo.raise_for_status()
# The session keeps one set of tokens: what came before is copied out.
tokens = dict(tokens)
fresh = dict(app.refresh_token(metadata["token_endpoint"], refresh_token=tokens["refresh_token"]))
say(
    {
        "id_token": dict(id_token),
        "userinfo": userinfo.json(),
        "access_token": judge_access_token(tokens["access_token"]),
        "rotated": fresh["refresh_token"] != tokens["refresh_token"] and fresh["access_token"] != tokens["access_token"],
        "refreshed": dict(judge_id_token(fresh, None)),
        "api": call(tokens["access_token"]).text,
        "again": call(fresh["access_token"]).text,
        "refused": refusals(tokens),
    }
)
