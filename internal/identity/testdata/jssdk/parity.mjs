// What the unchanged Firebase client SDK sees of an identity server, in a few words each: internal/firebasetest runs it against
// internal/identity and against the official Auth emulator, and compares. It prints a JSON object.

import { deleteApp, initializeApp } from 'firebase/app';
import {
  EmailAuthProvider,
  GoogleAuthProvider,
  connectAuthEmulator,
  createUserWithEmailAndPassword,
  deleteUser,
  fetchSignInMethodsForEmail,
  inMemoryPersistence,
  initializeAuth,
  linkWithCredential,
  reauthenticateWithCredential,
  sendPasswordResetEmail,
  signInAnonymously,
  signInWithCredential,
  signInWithCustomToken,
  signInWithEmailAndPassword,
  updateEmail,
  updatePassword,
  validatePassword,
} from 'firebase/auth';

const url = process.env.IDENTITY_URL;
const projectId = process.env.IDENTITY_PROJECT;
const password = 'correct horse';

const apps = [];

// device is one browser: an SDK of its own, with nothing remembered.
function device() {
  const app = initializeApp({ apiKey: 'any', projectId }, `device-${apps.length}`);
  apps.push(app);
  const auth = initializeAuth(app, { persistence: inMemoryPersistence });
  connectAuthEmulator(auth, url, { disableWarnings: true });
  return auth;
}

const newEmail = () => `${crypto.randomUUID()}@example.com`;

async function newcomer(auth = device()) {
  const email = newEmail();
  const { user } = await createUserWithEmailAndPassword(auth, email, password);
  return { auth, email, user };
}

async function admin(operation, body) {
  const response = await fetch(`${url}/identitytoolkit.googleapis.com/v1/projects/${projectId}/accounts${operation}`, {
    method: 'POST',
    headers: { authorization: 'Bearer owner', 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`admin ${operation}: ${response.status}`);
}

const nextSecond = () => new Promise((resolve) => setTimeout(resolve, 1010 - (Date.now() % 1000)));
const claims = async (user, refresh = false) => (await user.getIdTokenResult(refresh)).claims;

function customToken(uid, developerClaims) {
  const encode = (part) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const account = 'firebase-auth-emulator@example.com';
  const payload = {
    iss: account,
    sub: account,
    aud: 'https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit',
    iat: now,
    exp: now + 3600,
    uid,
    claims: developerClaims,
  };
  return `${encode({ alg: 'none', typ: 'JWT' })}.${encode(payload)}.`;
}

// refreshedAfter is what a forced refresh comes to once something has happened to the account a second after the sign-in.
const refreshedAfter = (event) => async () => {
  const { auth, email, user } = await newcomer();
  await nextSecond();
  await event(user, email);
  try {
    await user.getIdToken(true);
    return 'refreshed';
  } catch (error) {
    return `${error.code}, and ${auth.currentUser ? 'still' : 'no longer'} signed in`;
  }
};

const elsewhere = (change) => async (_, email) => {
  const { user } = await signInWithEmailAndPassword(device(), email, password);
  await change(user);
};

const revoke = (user) => admin(':update', { localId: user.uid, validSince: String(Math.floor(Date.now() / 1000)) });

const observations = {
  signUpTaken: async () => createUserWithEmailAndPassword(device(), (await newcomer()).email, password),
  wrongPassword: async () => signInWithEmailAndPassword(device(), (await newcomer()).email, 'wrong password'),
  unknownAddress: () => signInWithEmailAndPassword(device(), newEmail(), password),
  methods: async () => (await fetchSignInMethodsForEmail(device(), (await newcomer()).email)).join() || 'none told',
  policy: async () => ((await validatePassword(device(), 'short')).isValid ? 'good enough' : 'too short'),
  resetMail: async () => sendPasswordResetEmail(device(), (await newcomer()).email),
  google: () =>
    signInWithCredential(device(), GoogleAuthProvider.credential(JSON.stringify({ sub: '1', email: newEmail(), email_verified: true }))),
  revoked: refreshedAfter(revoke),
  revokedReload: async () => {
    const { user } = await newcomer();
    await nextSecond();
    await revoke(user);
    await user.reload();
  },
  disabled: refreshedAfter((user) => admin(':update', { localId: user.uid, disableUser: true })),
  deleted: refreshedAfter((user) => admin(':delete', { localId: user.uid })),
  passwordElsewhere: refreshedAfter(elsewhere((user) => updatePassword(user, 'battery staple'))),
  addressElsewhere: refreshedAfter(elsewhere((user) => updateEmail(user, newEmail()))),
  passwordHere: refreshedAfter((user) => updatePassword(user, 'battery staple')),
  deleteOwn: async () => {
    const { auth, user } = await newcomer();
    await deleteUser(user);
    return auth.currentUser ? 'still signed in' : 'signed out';
  },
  authTimes: async () => {
    const { email, user } = await newcomer();
    const own = (await claims(user)).auth_time;
    await nextSecond();
    await signInWithEmailAndPassword(device(), email, password);
    return (await claims(user, true)).auth_time === own ? 'of its own sign-in' : 'of the other device’s sign-in';
  },
  reauthenticated: async () => {
    const { email, user } = await newcomer();
    const before = (await claims(user)).auth_time;
    await nextSecond();
    await reauthenticateWithCredential(user, EmailAuthProvider.credential(email, password));
    return (await claims(user)).auth_time > before ? 'a new auth_time' : 'the same auth_time';
  },
  sids: async () => {
    const uid = crypto.randomUUID();
    const users = [];
    for (const sid of ['s-1', 's-2']) users.push((await signInWithCustomToken(device(), customToken(uid, { sid }))).user);
    const sids = [];
    for (const user of users) sids.push((await claims(user, true)).sid);
    return sids.join() === 's-1,s-2' ? 'each its own' : 'lost or mixed up';
  },
  linked: async () => {
    const { user } = await signInAnonymously(device());
    const { uid } = user;
    await linkWithCredential(user, EmailAuthProvider.credential(newEmail(), password));
    return `${user.uid === uid ? 'the same uid' : 'another uid'}, ${(await claims(user, true)).firebase.sign_in_provider}`;
  },
};

const outcomes = {};
await Promise.all(
  Object.entries(observations).map(async ([name, observe]) => {
    try {
      const outcome = await observe();
      outcomes[name] = typeof outcome === 'string' ? outcome : 'done';
    } catch (error) {
      outcomes[name] = error.code ?? `cannot tell: ${error.message}`;
    }
  }),
);
console.log(JSON.stringify(outcomes));
await Promise.all(apps.map(deleteApp));
