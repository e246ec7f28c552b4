// openid-client signs a person in, as its documentation shows it.
import * as client from 'openid-client'
import { Service, refusals } from './service.mjs'
import { learned, part, person } from './talk.mjs'

const config = await client.discovery(
  new URL(part.issuer),
  part.client_id,
  { id_token_signed_response_alg: part.alg },
  client.ClientSecretBasic(part.client_secret),
)
// By default it trusts the TLS connection for what the token endpoint answers
// (OpenID Connect Core §3.1.3.7); we want our signatures judged.
client.enableNonRepudiationChecks(config)

const pkceCodeVerifier = client.randomPKCECodeVerifier()
const expectedState = client.randomState()
const expectedNonce = client.randomNonce()
const back = await person(client.buildAuthorizationUrl(config, {
  redirect_uri: part.redirect_uri,
  scope: part.scope,
  resource: part.audience,
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: 'S256',
  state: expectedState,
  nonce: expectedNonce,
}))

const tokens = await client.authorizationCodeGrant(config, back, {
  pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true, maxAge: 60,
})
const idToken = tokens.claims()
const userinfo = await client.fetchUserInfo(config, tokens.access_token, idToken.sub)
const fresh = await client.refreshTokenGrant(config, tokens.refresh_token)

const call = async (token) => (await client.fetchProtectedResource(config, token, new URL(part.api), 'GET')).text()
const service = new Service(config.serverMetadata())
learned({
  id_token: idToken,
  userinfo,
  access_token: await service.judge(tokens.access_token),
  rotated: fresh.refresh_token !== tokens.refresh_token && fresh.access_token !== tokens.access_token,
  refreshed: fresh.claims(),
  api: await call(tokens.access_token),
  again: await call(fresh.access_token),
  // It throws the challenge, parsed, when the API has one.
  refused: await refusals(service, tokens, (token) => call(token).catch((err) => err.cause[0].scheme === 'bearer' && err.status)),
})
