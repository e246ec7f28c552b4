// oauth4webapi signs a person in, step by step: it leaves no check to a default.
import * as oauth from 'oauth4webapi'
import { Service, refusals, status } from './service.mjs'
import { learned, part, person } from './talk.mjs'

const issuer = new URL(part.issuer)
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oidc' }))
const app = { client_id: part.client_id, id_token_signed_response_alg: part.alg }
const auth = oauth.ClientSecretBasic(part.client_secret)

const verifier = oauth.generateRandomCodeVerifier()
const state = oauth.generateRandomState()
const nonce = oauth.generateRandomNonce()
const url = new URL(as.authorization_endpoint)
url.search = new URLSearchParams({
  client_id: app.client_id,
  response_type: 'code',
  redirect_uri: part.redirect_uri,
  scope: part.scope,
  state,
  nonce,
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
})
const answer = oauth.validateAuthResponse(as, app, await person(url), state)

const response = await oauth.authorizationCodeGrantRequest(as, app, auth, answer, part.redirect_uri, verifier)
const tokens = await oauth.processAuthorizationCodeResponse(as, app, response, { expectedNonce: nonce, requireIdToken: true })
await oauth.validateApplicationLevelSignature(as, response)
const idToken = oauth.getValidatedIdTokenClaims(tokens)

const info = await oauth.userInfoRequest(as, app, tokens.access_token)
const userinfo = await oauth.processUserInfoResponse(as, app, idToken.sub, info)

const renewed = await oauth.refreshTokenGrantRequest(as, app, auth, tokens.refresh_token)
const fresh = await oauth.processRefreshTokenResponse(as, app, renewed)
await oauth.validateApplicationLevelSignature(as, renewed)

const call = async (token) => (await oauth.protectedResourceRequest(token, 'GET', new URL(part.api))).text()
// It is a verifier too (RFC 9068): the second opinion, beside jose's.
const request = new Request(part.api, { headers: { authorization: `Bearer ${tokens.access_token}` } })
const accessToken = await oauth.validateJwtAccessToken(as, request, part.audience)
const service = new Service(as)
await service.judge(tokens.access_token)

learned({
  id_token: idToken,
  userinfo,
  access_token: accessToken,
  rotated: fresh.refresh_token !== tokens.refresh_token && fresh.access_token !== tokens.access_token,
  refreshed: oauth.getValidatedIdTokenClaims(fresh),
  api: await call(tokens.access_token),
  again: await call(fresh.access_token),
  refused: await refusals(service, tokens, status),
})
