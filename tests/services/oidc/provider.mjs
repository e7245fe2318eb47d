// An OpenID provider for the tests. Arguments: port, the callback of the server under test. The login page takes any name
// and password. `alg` of ID tokens and the keys are the library's own; names are told by the userinfo endpoint.
import Provider from 'oidc-provider';

const [port, callback] = process.argv.slice(2);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: 'collab', client_secret: 'a secret: with %', redirect_uris: [callback] }],
  claims: { openid: ['sub'], profile: ['name'] },
  cookies: { keys: ['only for tests'] },
  findAccount: (_context, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: `${id[0].toUpperCase()}${id.slice(1)} of the provider` }),
  }),
});
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
