// A certified issuer of OpenID Connect on this machine. It is given one JSON document, and prints the line `issuer URL` once it
// listens. Whoever is sent to it is signed in at once: as `?account=` of the interaction's page, or refused by `?deny`.

import { generateKeyPairSync } from 'node:crypto';
import http from 'node:http';
import { Provider } from 'oidc-provider';

const settings = JSON.parse(process.argv[2]);

const key = (type, options, more) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }),
  use: 'sig',
  ...more,
});

const server = http.createServer();
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: settings.clients,
  conformIdTokenClaims: settings.claims_in_userinfo,
  claims: { openid: ['sub'], profile: ['preferred_username', 'roles', 'realm_access'], email: ['email', 'email_verified'] },
  jwks: {
    keys: [
      key('rsa', { modulusLength: 2048 }, { kid: 'rsa' }),
      key('ec', { namedCurve: 'P-256' }, { kid: 'ec' }),
      key('ed25519', {}, { kid: 'ed', alg: 'EdDSA' }),
    ],
  },
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA', 'RS512', 'HS256'] },
  cookies: { keys: ['only-for-tests'] },
  features: { devInteractions: { enabled: false } },
  pkce: { required: () => true },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...settings.accounts[id] }) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  async loadExistingGrant(ctx) {
    const { client, session } = ctx.oidc;
    const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope('openid profile email');
    await grant.save();
    return grant;
  },
});

const callback = provider.callback();
server.on('request', async (request, response) => {
  const url = new URL(request.url, issuer);
  if (!url.pathname.startsWith('/interaction/')) {
    callback(request, response);
    return;
  }
  const accountId = url.searchParams.get('account');
  const result = url.searchParams.has('deny')
    ? { error: 'access_denied', error_description: 'not today' }
    : { login: { accountId } };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
});

console.log(`issuer ${issuer}`);
