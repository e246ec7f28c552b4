// The other side of a token: what a service in this language knows about it
// from the issuer's keys alone, with jose.
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import { part } from './talk.mjs'

export class Service {
  constructor(metadata) {
    this.issuer = metadata.issuer
    this.keys = createRemoteJWKSet(new URL(metadata.jwks_uri))
  }

  // judge is what RFC 9068 §4 asks of whoever receives an access token.
  async judge(token, audience = part.audience) {
    const { payload } = await jwtVerify(token, this.keys, {
      issuer: this.issuer,
      audience,
      typ: 'at+jwt',
      requiredClaims: ['sub', 'exp', 'iat', 'jti', 'client_id'],
    })
    return payload
  }
}

// refusals names what was rightly refused, and for the right reason. askAPI
// answers with the status that the API gives to a token.
export async function refusals(service, tokens, askAPI) {
  const refused = []
  const must = async (what, claim, attempt) => {
    const err = await attempt().then(() => new Error(`${what} was accepted`), (err) => err)
    if (err.claim !== claim) throw err
    refused.push(what)
  }
  await must('another audience', 'aud', () => service.judge(tokens.access_token, 'https://invoices.example.com'))
  // Asked for by its own audience an ID token has the right issuer, keys and
  // times: only its type tells it from an access token (RFC 9068 §2.1).
  await must('an ID token as access token', 'typ', () => service.judge(tokens.id_token, decodeJwt(tokens.id_token).aud))
  if ((await askAPI(tokens.id_token)) === 401) refused.push('an ID token at the API')
  return refused
}

export async function status(token) {
  const res = await fetch(part.api, { headers: { authorization: `Bearer ${token}` } })
  await res.body?.cancel()
  return res.status
}
