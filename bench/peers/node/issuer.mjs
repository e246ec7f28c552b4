// oidc-provider as an issuer beside Signet: the same clients, lifetimes and
// answers, over the same requests, everything kept in memory. Whoever comes to
// its sign-in page is signed in, and there is no page to render.
//
//	node issuer.mjs < {issuer, audience, scope, callback, algorithm, clients} ──▶ its address on stdout
//
// It ends when stdin does.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

const lines = createInterface({ input: process.stdin });
const task = JSON.parse((await lines[Symbol.asyncIterator]().next()).value);

function key(algorithm) {
  const made = algorithm === 'RS256'
    ? generateKeyPairSync('rsa', { modulusLength: 2048 })
    : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...made.privateKey.export({ format: 'jwk' }), alg: algorithm, use: 'sig', kid: randomUUID() };
}

// The library's own store of a demonstration forgets all but a thousand records;
// this one keeps them, and forgets nothing during a run.
const records = new Map();
const uids = new Map();
const grants = new Map();
class Memory {
  constructor(model) { this.model = model; }
  at(id) { return `${this.model}:${id}`; }
  async upsert(id, payload) {
    records.set(this.at(id), payload);
    if (payload.uid) uids.set(payload.uid, id);
    if (payload.grantId) {
      if (!grants.has(payload.grantId)) grants.set(payload.grantId, []);
      grants.get(payload.grantId).push(this.at(id));
    }
  }
  async find(id) { return records.get(this.at(id)); }
  async findByUid(uid) { return this.find(uids.get(uid)); }
  async findByUserCode() { return undefined; }
  async consume(id) { records.get(this.at(id)).consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { records.delete(this.at(id)); }
  async revokeByGrantId(id) { for (const one of grants.get(id) ?? []) records.delete(one); grants.delete(id); }
}

const resource = {
  scope: task.scope, audience: task.audience, accessTokenTTL: 600,
  accessTokenFormat: 'jwt', jwt: { sign: { alg: task.algorithm } },
};
const provider = new Provider(task.issuer, {
  adapter: Memory,
  jwks: { keys: [key('ES256'), key('RS256')] },
  cookies: { keys: [randomUUID()] },
  clients: task.clients.map((c) => ({
    client_id: c.id, client_secret: c.secret,
    grant_types: c.machine ? ['client_credentials'] : ['authorization_code', 'refresh_token'],
    redirect_uris: c.machine ? [] : [task.callback],
    response_types: c.machine ? [] : ['code'],
    id_token_signed_response_alg: c.idTokenAlg,
    token_endpoint_auth_method: 'client_secret_basic',
  })),
  routes: { authorization: '/authorize', token: '/token', userinfo: '/userinfo', jwks: '/jwks' },
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      // A token for its userinfo endpoint is opaque and has no audience: who asks
      // for no scope of the service gets one.
      defaultResource: (ctx) => (String(ctx.oidc.params.scope ?? '').includes(task.scope) ? task.audience : undefined),
      useGrantedResource: () => true,
      getResourceServerInfo: () => resource,
    },
  },
  claims: { profile: ['name', 'given_name', 'family_name'], email: ['email', 'email_verified'] },
  ttl: { AccessToken: 600, ClientCredentials: 600, IdToken: 600, AuthorizationCode: 60, RefreshToken: 86400, Session: 86400, Grant: 86400, Interaction: 600 },
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: true,
  findAccount: async (ctx, id) => ({
    accountId: id,
    claims: async () => ({ sub: id, name: `User ${id}`, given_name: 'User', family_name: id, email: `${id}@example.com`, email_verified: true }),
  }),
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  // Every client is the deployment's own: consent is never asked.
  async loadExistingGrant(ctx) {
    const { client, session, provider: own } = ctx.oidc;
    const known = session.grantIdFor(client.clientId);
    const found = known && await own.Grant.find(known);
    if (found) return found;
    const grant = new own.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope('openid profile email');
    grant.addResourceScope(task.audience, task.scope);
    await grant.save();
    return grant;
  },
});
provider.proxy = true;
provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  return provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: 'somebody', remember: true } });
});
provider.on('server_error', (ctx, error) => console.error(error));

const server = createServer(provider.callback());
server.keepAliveTimeout = 0;
server.listen(0, '127.0.0.1', () => console.log(`127.0.0.1:${server.address().port}`));
lines.on('close', () => process.exit(0));
