// Three sign-ins of one user with the unchanged Firebase client SDK, one of them a sign-up: internal/firebasetest runs this against an
// Auth emulator that calls a blocking function. It prints, for each, the sid of its ID token and those after two refreshes.

import { deleteApp, initializeApp } from 'firebase/app';
import {
  connectAuthEmulator,
  createUserWithEmailAndPassword,
  inMemoryPersistence,
  initializeAuth,
  signInWithEmailAndPassword,
} from 'firebase/auth';

const apps = [];

function device() {
  const app = initializeApp({ apiKey: 'any', projectId: process.env.IDENTITY_PROJECT }, `device-${apps.length}`);
  apps.push(app);
  const auth = initializeAuth(app, { persistence: inMemoryPersistence });
  connectAuthEmulator(auth, process.env.IDENTITY_URL, { disableWarnings: true });
  return auth;
}

const email = `${crypto.randomUUID()}@example.com`;
const users = [];
for (const signIn of [createUserWithEmailAndPassword, signInWithEmailAndPassword, signInWithEmailAndPassword]) {
  users.push((await signIn(device(), email, 'correct horse')).user);
}
const sids = users.map(() => []);
for (const refresh of [false, true, true]) {
  for (const [i, user] of users.entries()) {
    sids[i].push((await user.getIdTokenResult(refresh)).claims.sid ?? null);
  }
}
console.log(JSON.stringify(sids));
await Promise.all(apps.map(deleteApp));
