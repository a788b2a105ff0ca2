// The certified `oidc-provider` with one client and its own sign-in forms: node server.mjs CALLBACK SIGNED_OUT
import { createServer } from 'node:http'
import { generateKeyPairSync } from 'node:crypto'
import Provider from 'oidc-provider'

const [callback, signedOut] = process.argv.slice(2)
const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' })

// The port is the issuer's, so the socket comes first.
const server = createServer()
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'portal',
      client_secret: 's3cret/with+signs',
      redirect_uris: [callback],
      post_logout_redirect_uris: [signedOut],
      response_types: ['code'],
      grant_types: ['authorization_code'],
    }],
    claims: { email: ['email', 'email_verified'], profile: ['given_name', 'family_name', 'locale'] },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({
        sub: id,
        email: `${id}@example.org`,
        email_verified: id !== 'unproven',
        given_name: id[0].toUpperCase() + id.slice(1),
        family_name: 'Peer',
        locale: 'de-AT',
      }),
    }),
    jwks: { keys: [{ ...key, kid: 'peer', use: 'sig', alg: 'RS256' }] },
    cookies: { keys: ['peer'] },
    pkce: { required: () => true },
    features: { devInteractions: { enabled: true } },
  })
  server.on('request', provider.callback())
  console.log(issuer)
})
