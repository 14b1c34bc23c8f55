// Runs oidc-provider as an OP for interoperability tests.
//
//   node op.mjs CONFIG.json
//
// CONFIG.json is what peers/interop writes: issuer, host, port, the paths of
// cert and key, the clients known beforehand (in the words of OpenID Connect
// Dynamic Client Registration) and one user. The OP's own pages for login and
// consent are used as they are: they take any user name.
import { generateKeyPair, randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { promisify } from 'node:util';

import Provider from 'oidc-provider';

const config = JSON.parse(await readFile(process.argv[2], 'utf8'));
const issuer = new URL(config.issuer);

const generate = promisify(generateKeyPair);
const jwk = async (use, type, options) => {
  const { privateKey } = await generate(type, options);
  return { ...privateKey.export({ format: 'jwk' }), use };
};
const keys = await Promise.all([
  jwk('sig', 'rsa', { modulusLength: 2048 }),
  jwk('sig', 'ec', { namedCurve: 'P-256' }),
  jwk('sig', 'ed25519', {}),
  jwk('enc', 'rsa', { modulusLength: 2048 }), // of request objects
  jwk('enc', 'ec', { namedCurve: 'P-256' }),
]);

// accountFor returns the account whose identifier the login page was given.
const accountFor = (ctx, sub) => ({
  accountId: sub,
  claims: () => ({
    sub,
    name: config.user.name,
    preferred_username: sub,
    email: config.user.email,
    email_verified: true,
  }),
});

const provider = new Provider(config.issuer, {
  adapter: undefined, // in memory
  clients: config.clients,
  jwks: { keys },
  // An authentication request may come by POST, from the Relying Party's site.
  enableHttpPostMethods: true,
  cookies: { keys: [randomUUID()], long: { sameSite: 'none', secure: true } },
  findAccount: accountFor,
  claims: {
    openid: ['sub'],
    profile: ['name', 'preferred_username'],
    email: ['email', 'email_verified'],
  },
  responseTypes: [
    'code', 'id_token', 'id_token token', 'code id_token', 'code token', 'code id_token token', 'none',
  ],
  clientAuthMethods: [
    'none', 'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt',
    'tls_client_auth', 'self_signed_tls_client_auth',
  ],
  enabledJWA: {
    idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA', 'HS256'],
    idTokenEncryptionAlgValues: ['RSA-OAEP', 'RSA-OAEP-256', 'ECDH-ES', 'ECDH-ES+A128KW'],
    userinfoEncryptionAlgValues: ['RSA-OAEP', 'RSA-OAEP-256', 'ECDH-ES', 'ECDH-ES+A128KW'],
    userinfoSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA', 'HS256'],
    requestObjectSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA', 'HS256'],
    requestObjectEncryptionAlgValues: ['RSA-OAEP', 'RSA-OAEP-256', 'ECDH-ES', 'dir'],
    authorizationSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'],
    authorizationEncryptionAlgValues: ['RSA-OAEP-256', 'ECDH-ES'],
  },
  pkce: { required: () => true },
  // Every client that may refresh gets a refresh token, and each use replaces it.
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: true,
  // The default refuses to fetch from loopback addresses, which is where the
  // Relying Party under test publishes its keys.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  features: {
    devInteractions: { enabled: true },
    registration: { enabled: true },
    registrationManagement: { enabled: true, rotateRegistrationAccessToken: true },
    revocation: { enabled: true },
    encryption: { enabled: true },
    introspection: { enabled: true },
    jwtIntrospection: { enabled: true },
    dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
    mTLS: {
      enabled: true,
      certificateBoundAccessTokens: true,
      selfSignedTlsClientAuth: true,
      tlsClientAuth: true,
      getCertificate: (ctx) => ctx.socket.getPeerX509Certificate(),
      certificateAuthorized: (ctx) => ctx.socket.authorized,
      certificateSubjectMatches: (ctx, property, expected) => property === 'tls_client_auth_subject_dn'
        && ctx.socket.getPeerX509Certificate().subject === expected,
    },
    jwtUserinfo: { enabled: true },
    pushedAuthorizationRequests: { enabled: true },
    requestObjects: { enabled: true },
    jwtResponseModes: { enabled: true },
    // Authorization details are always for a resource.
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, resource) => ({ scope: '', audience: resource, accessTokenFormat: 'opaque' }),
    },
    // What was asked for and consented to is granted as it is.
    richAuthorizationRequests: {
      enabled: true,
      types: { payment_initiation: { validate() {} } },
      authorizationDetailsForGrantSource: (ctx) => ctx.oidc.grant.rar,
      authorizationDetailsForAccessToken: (ctx, token, source) => source.rar,
      authorizationDetailsForIntrospection: (ctx, token) => token.rar,
    },
    claimsParameter: { enabled: true },
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    // Whoever is asked says yes at once.
    ciba: {
      enabled: true,
      deliveryModes: ['poll'],
      processLoginHint: async (ctx, hint) => hint,
      validateRequestContext: async () => {},
      verifyUserCode: async () => {},
      triggerAuthenticationDevice: async (ctx, request, account, client) => {
        const grant = new provider.Grant({ accountId: account.accountId, clientId: client.clientId });
        grant.addOIDCScope('openid email');
        await grant.save();
        await provider.backchannelResult(request, grant);
      },
    },
  },
});

// answerWebFinger stands in front: the library leaves WebFinger (RFC 7033) to
// the host it runs on.
const answerWebFinger = (request, response) => {
  const resource = new URL(request.url, config.issuer).searchParams.get('resource');
  if (!resource) {
    response.writeHead(400).end();
    return;
  }
  response.writeHead(200, { 'content-type': 'application/jrd+json' });
  response.end(JSON.stringify({
    subject: resource,
    links: [{ rel: 'http://openid.net/specs/connect/1.0/issuer', href: config.issuer }],
  }));
};

const callback = provider.callback();
const server = createServer({
  cert: await readFile(config.cert),
  key: await readFile(config.key),
  // Of whoever has one: each client says how it authenticates.
  requestCert: true,
  rejectUnauthorized: false,
  ca: await readFile(config.ca),
}, (request, response) => {
  if (request.url.startsWith('/.well-known/webfinger')) {
    answerWebFinger(request, response);
    return;
  }
  callback(request, response);
});
server.listen(config.port, config.host, () => console.log(`listening on ${issuer.host}`));
