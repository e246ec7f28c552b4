// jose at what pkg/verify does: choose the key by its id, check the signature,
// issuer, audience and times, one token after the other on one thread.
//
//	node verify.mjs < {issuer, audience, jwks, tokens by algorithm} ──▶ [{library, algorithm, ns}]
import { createLocalJWKSet, jwtVerify } from 'jose';
import { text } from 'node:stream/consumers';

const task = JSON.parse(await text(process.stdin));
const keys = createLocalJWKSet(task.jwks);
const all = [];
for (const algorithm of ['ES256', 'EdDSA', 'RS256']) {
  const expected = { issuer: task.issuer, audience: task.audience, algorithms: [algorithm], typ: 'at+jwt' };
  const check = (raw) => jwtVerify(raw, keys, expected);
  for (const raw of task.tokens[algorithm].slice(0, 200)) await check(raw);
  const took = [];
  for (const raw of task.tokens[algorithm]) {
    const began = process.hrtime.bigint();
    await check(raw);
    took.push(Number(process.hrtime.bigint() - began));
  }
  took.sort((a, b) => a - b);
  all.push({ library: `jose, Node ${process.version}`, algorithm, ns: took[took.length >> 1] });
}
console.log(JSON.stringify(all));
