import { setTimeout } from 'node:timers/promises';
import type { Account, Site } from './test.ts';

/** Where a sign-in comes from. */
export interface Visitor {
  account: Account;
  userAgent: string;
  address: string;
  country: string;
  region: string;
  city: string;
  deviceName?: string;
}

const ben = { uid: '', email: 'ben@example.com', password: 'ben-password' };
const carla = { uid: '', email: 'carla@example.com', password: 'carla-password' };

const agents = {
  iphone: 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1',
  windows: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Safari/537.36 Edg/148.0.0.0',
  mac: 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:150.0) Gecko/20100101 Firefox/150.0',
  android: 'Mozilla/5.0 (Linux; Android 16; Pixel 10) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Mobile Safari/537.36',
};

/** The settings under which the service believes what {@link visit} says of places. */
export const places = { TRUSTED_PROXIES: '127.0.0.0/8', GEO_HEADERS: 'cloudflare', IP_POLICY: 'off' };

/** Devices of a user, and sessions of others, so that no page is empty. Addresses are those that documentation may use. */
export const visitors = (ana: Account): Visitor[] => [
  { account: ana, userAgent: agents.iphone, address: '203.0.113.7', country: 'MX', region: 'CMX', city: 'Mexico City' },
  { account: ben, userAgent: agents.android, address: '198.51.100.20', country: 'ES', region: 'MD', city: 'Madrid' },
  { account: carla, userAgent: agents.mac, address: '192.0.2.44', country: 'DE', region: 'BE', city: 'Berlin' },
  { account: ana, userAgent: agents.windows, address: '203.0.113.90', country: 'MX', region: 'JAL', city: 'Guadalajara', deviceName: 'Office' },
];

/** Signs in elsewhere than in the browser under test, and begins the session. It can end the account's others. */
export async function visit({ site }: { site: Site }, visitor: Visitor): Promise<{ endOthers(): Promise<void> }> {
  const { account } = visitor;
  const tokens = await fetch(
    `http://127.0.0.1:${site.ports.identity}/identitytoolkit.googleapis.com/v1/accounts:${account.uid ? 'signInWithPassword' : 'signUp'}?key=dev`,
    {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ email: account.email, password: account.password, returnSecureToken: true }),
    },
  );
  const { idToken } = (await tokens.json()) as { idToken: string };
  const sessions = `http://127.0.0.1:${site.ports.api}/v1/sessions`;
  const Authorization = `Bearer ${idToken}`;
  const answer = await fetch(sessions, {
    method: 'POST',
    headers: {
      Authorization,
      'User-Agent': visitor.userAgent,
      'X-Forwarded-For': visitor.address,
      'CF-Connecting-IP': visitor.address,
      'CF-IPCountry': visitor.country,
      'cf-region-code': visitor.region,
      'cf-ipcity': visitor.city,
    },
    body: JSON.stringify({ deviceName: visitor.deviceName }),
  });
  if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
  await setTimeout(1000 - (Date.now() % 1000)); // sign-ins of one second are one session
  return {
    async endOthers() {
      const { status } = await fetch(`${sessions}?scope=others`, { method: 'DELETE', headers: { Authorization } });
      if (status !== 200) throw new Error(`${status}`);
    },
  };
}
