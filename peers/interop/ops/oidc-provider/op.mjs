// Runs oidc-provider as an OP for interoperability tests.
//
//   node op.mjs CONFIG.json
//
// CONFIG.json is what peers/interop writes: issuer, host, port, the paths of
// cert and key, the clients known beforehand (in the words of OpenID Connect
// Dynamic Client Registration) and one user. The OP's own pages for login, consent
// and the codes of devices are used as they are: they take any user name.
//
// What the library leaves to its host is here: WebFinger, the telephone on which
// the user decides a backchannel login (POST /phone), and the exchange of tokens.
import { generateKeyPair, randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';

import Provider, { errors } from 'oidc-provider';
import * as grants from 'oidc-provider/lib/helpers/grants.js';

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

// actors are who acts for the user of an access token that was exchanged.
const actors = new WeakMap();

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
    introspectionEncryptionAlgValues: ['RSA-OAEP-256', 'ECDH-ES'],
  },
  // A client may register how long its device codes live, to see one die.
  extraClientMetadata: { properties: ['device_code_lifetime'] },
  ttl: { DeviceCode: (ctx, code, client) => client.device_code_lifetime ?? 600 },
  // RFC 8693, section 4.1.
  extraTokenClaims: async (ctx, token) => (actors.has(token) ? { act: { sub: actors.get(token) } } : undefined),
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
      getResourceServerInfo: (ctx, resource) => {
        if (resource !== 'https://bank.test/payments') throw new errors.InvalidTarget();
        return { scope: '', audience: resource, accessTokenFormat: 'opaque' };
      },
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
    ciba: {
      enabled: true,
      deliveryModes: ['poll', 'ping'],
      processLoginHint: async (ctx, hint) => (hint === config.user.username ? hint : undefined),
      validateRequestContext: async () => {},
      // Of the clients that say that they can ask for it.
      verifyUserCode: async (ctx, account, code) => {
        if (!ctx.oidc.client.backchannelUserCodeParameter) return;
        if (!code) throw new errors.MissingUserCode();
        if (code !== config.user.code) throw new errors.InvalidUserCode();
      },
      triggerAuthenticationDevice: async () => {}, // see answerPhone
    },
  },
});

// What goes wrong here is told to nobody else.
provider.on('server_error', (ctx, error) => console.error(error));

const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';

// ofToken returns the access token that a parameter of an exchange holds. One that is not
// good is an invalid request (RFC 8693, section 2.2.2).
const ofToken = async (params, name) => {
  if (params[`${name}_type`] !== accessTokenType) {
    throw new errors.InvalidRequest(`${name}_type must be ${accessTokenType}`);
  }
  const token = await provider.AccessToken.find(params[name])
    ?? await provider.ClientCredentials.find(params[name]);
  if (!token?.isValid) throw new errors.InvalidRequest(`${name} is not valid`);
  return token;
};

// The exchange of an access token of this OP for another one, of the same user, for the
// client that asks (RFC 8693).
provider.registerGrantType('urn:ietf:params:oauth:grant-type:token-exchange', async (ctx) => {
  const { client, params } = ctx.oidc;
  const dPoP = await grants.validateDpop(provider, ctx);
  grants.checkDpopRequired(provider, ctx, dPoP);
  if ((params.requested_token_type ?? accessTokenType) !== accessTokenType) {
    throw new errors.InvalidRequest('requested_token_type is not one that is issued here');
  }
  if (params.resource !== undefined) throw new errors.InvalidTarget();
  const audiences = [params.audience ?? []].flat();
  if (audiences.some((audience) => audience !== 'billing')) throw new errors.InvalidTarget('audience is unknown');

  const subject = await ofToken(params, 'subject_token');
  if (!subject.accountId) throw new errors.InvalidRequest('subject_token has no user');
  const actor = params.actor_token === undefined ? undefined : await ofToken(params, 'actor_token');
  const had = new Set(subject.scope?.split(' '));
  const scopes = params.scope?.split(' ') ?? [...had];
  for (const scope of scopes) {
    if (!had.has(scope)) throw new errors.InvalidScope('subject_token has it not', scope);
  }

  const grant = new provider.Grant({ accountId: subject.accountId, clientId: client.clientId });
  grant.addOIDCScope(scopes.join(' '));
  const token = new provider.AccessToken({
    accountId: subject.accountId,
    client,
    grantId: await grant.save(),
    gty: 'token_exchange',
    scope: scopes.join(' '),
  });
  if (audiences.length) token.setAudience(audiences[0]);
  if (actor) actors.set(token, actor.accountId ?? actor.clientId);
  if (dPoP) {
    await grants.checkDpopReplay(provider, ctx, dPoP, client.clientId);
    token.setThumbprint('jkt', dPoP.thumbprint);
  }
  ctx.body = grants.buildTokenResponse(provider, {
    accessToken: await token.save(),
    expiresIn: token.expiration,
    issuedTokenType: accessTokenType,
    scope: token.scope,
    tokenType: token.tokenType,
  });
}, [
  'subject_token', 'subject_token_type', 'actor_token', 'actor_token_type', 'requested_token_type',
  'audience', 'resource', 'scope',
], ['audience', 'resource']);

// answerPhone is the user, who decides a backchannel login. The answer comes after the
// Relying Party has heard of it, where it wants to.
const answerPhone = async (request, response) => {
  const form = new URLSearchParams(await text(request));
  const login = await provider.BackchannelAuthenticationRequest.find(form.get('auth_req_id'));
  if (!login) {
    response.writeHead(404).end();
    return;
  }
  let decision = new errors.AccessDenied('the user refused');
  if (form.get('decision') === 'allow') {
    decision = new provider.Grant({ accountId: login.accountId, clientId: login.clientId });
    decision.addOIDCScope(login.scope);
    await decision.save();
  }
  try {
    await provider.backchannelResult(login, decision, { authTime: Math.floor(Date.now() / 1000) });
    response.writeHead(204).end();
  } catch (error) {
    console.error(error);
    response.writeHead(502).end(String(error));
  }
};

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
  if (request.method === 'POST' && request.url === '/phone') {
    answerPhone(request, response);
    return;
  }
  callback(request, response);
});
server.listen(config.port, config.host, () => console.log(`listening on ${issuer.host}`));
