// The unchanged Firebase client SDK against internal/identity. The Go test
// TestJavaScriptSDK starts the server and this script.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { deleteApp, initializeApp } from 'firebase/app';
import {
  EmailAuthProvider,
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
  signInWithCustomToken,
  signInWithEmailAndPassword,
  updateEmail,
  updatePassword,
  updateProfile,
  validatePassword,
} from 'firebase/auth';

const url = process.env.IDENTITY_URL;
const projectId = process.env.IDENTITY_PROJECT;
const password = 'correct horse';

const apps = [];
after(() => Promise.all(apps.map(deleteApp)));

// device is one browser: an SDK of its own, with nothing remembered.
function device() {
  const app = initializeApp({ apiKey: 'any', projectId }, `device-${apps.length}`);
  apps.push(app);
  const auth = initializeAuth(app, { persistence: inMemoryPersistence });
  connectAuthEmulator(auth, url, { disableWarnings: true });
  return auth;
}

let people = 0;
const newEmail = () => `person-${++people}@example.com`;

// advance moves the server's clock and returns its time in seconds.
async function advance(seconds) {
  const response = await fetch(`${url}/test/advance?seconds=${seconds}`, { method: 'POST' });
  return (await response.json()).now;
}

async function admin(operation, body) {
  const response = await fetch(
    `${url}/identitytoolkit.googleapis.com/v1/projects/${projectId}/accounts${operation}`,
    {
      method: 'POST',
      headers: { authorization: 'Bearer owner', 'content-type': 'application/json' },
      body: JSON.stringify(body),
    },
  );
  assert.equal(response.status, 200, `admin ${operation}`);
  return response.json();
}

const claims = async (user, refresh = false) => (await user.getIdTokenResult(refresh)).claims;
const refusal = (code) => ({ code: `auth/${code}` });

function customToken(uid, developerClaims) {
  const encode = (part) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const payload = {
    iss: 'firebase-auth-emulator@example.com',
    sub: 'firebase-auth-emulator@example.com',
    aud: 'https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit',
    iat: now,
    exp: now + 3600,
    uid,
    claims: developerClaims,
  };
  return `${encode({ alg: 'none', typ: 'JWT' })}.${encode(payload)}.`;
}

test('a user signs up, and signs in on another device', async () => {
  const email = newEmail();
  const { user } = await createUserWithEmailAndPassword(device(), email, password);
  assert.equal(user.email, email);
  assert.equal(user.isAnonymous, false);
  assert.deepEqual(user.providerData.map((p) => p.providerId), ['password']);

  const again = await signInWithEmailAndPassword(device(), email, password);
  assert.equal(again.user.uid, user.uid);
  const { firebase, email: claimed, email_verified: verified, sub } = await claims(again.user);
  assert.equal(firebase.sign_in_provider, 'password');
  assert.equal(claimed, email);
  assert.equal(verified, false);
  assert.equal(sub, user.uid);
});

test('wrong password and unknown address are one error', async () => {
  const email = newEmail();
  await createUserWithEmailAndPassword(device(), email, password);
  await assert.rejects(signInWithEmailAndPassword(device(), email, 'wrong password'), refusal('invalid-credential'));
  await assert.rejects(signInWithEmailAndPassword(device(), newEmail(), password), refusal('invalid-credential'));
  assert.deepEqual(await fetchSignInMethodsForEmail(device(), email), []);
});

test('sign-up is refused with the codes of production', async () => {
  const email = newEmail();
  await createUserWithEmailAndPassword(device(), email, password);
  await assert.rejects(createUserWithEmailAndPassword(device(), email, password), refusal('email-already-in-use'));
  await assert.rejects(createUserWithEmailAndPassword(device(), newEmail(), 'short'), refusal('weak-password'));
  await assert.rejects(createUserWithEmailAndPassword(device(), 'nonsense', password), refusal('invalid-email'));
  await assert.rejects(sendPasswordResetEmail(device(), email), refusal('operation-not-allowed'));
});

test('the password policy is six characters', async () => {
  const auth = device();
  assert.equal((await validatePassword(auth, 'short')).isValid, false);
  assert.equal((await validatePassword(auth, password)).isValid, true);
});

test('a refresh keeps auth_time, on each device its own', async () => {
  const email = newEmail();
  const { user: first } = await createUserWithEmailAndPassword(device(), email, password);
  const signedUp = await claims(first);
  await advance(10);
  const { user: second } = await signInWithEmailAndPassword(device(), email, password);
  const signedIn = await claims(second);
  assert.ok(signedIn.auth_time >= signedUp.auth_time + 10);
  await advance(10);

  for (const [user, before] of [[first, signedUp], [second, signedIn]]) {
    const after = await claims(user, true);
    assert.equal(after.auth_time, before.auth_time);
    assert.ok(after.iat >= before.iat + 10);
  }
});

test('re-authentication gives a new auth_time to the same user', async () => {
  const email = newEmail();
  const { user } = await createUserWithEmailAndPassword(device(), email, password);
  const before = await claims(user);
  await advance(10);
  const credential = EmailAuthProvider.credential(email, password);
  const { user: same } = await reauthenticateWithCredential(user, credential);
  assert.equal(same.uid, user.uid);
  const after = await claims(user);
  assert.ok(after.auth_time >= before.auth_time + 10);
  await assert.rejects(
    reauthenticateWithCredential(user, EmailAuthProvider.credential(email, 'wrong password')),
    refusal('invalid-credential'),
  );
});

test('a revoked user is signed out at the next refresh', async () => {
  const email = newEmail();
  const auth = device();
  const { user } = await createUserWithEmailAndPassword(auth, email, password);
  const validSince = await advance(2);
  await admin(':update', { localId: user.uid, validSince: String(validSince) });

  await assert.rejects(user.reload(), refusal('user-token-expired'));
  await assert.rejects(user.getIdToken(true), refusal('user-token-expired'));
  assert.equal(auth.currentUser, null);
  const again = await signInWithEmailAndPassword(auth, email, password);
  assert.equal((await again.user.getIdToken(true)).split('.').length, 3);
});

test('a revocation within the second of the sign-in still ends the refresh', async () => {
  const { user } = await createUserWithEmailAndPassword(device(), newEmail(), password);
  await admin(':update', { localId: user.uid, validSince: String(await advance(0)) });
  await assert.rejects(user.getIdToken(true), refusal('user-token-expired'));
});

test('a disabled user can neither refresh nor sign in', async () => {
  const email = newEmail();
  const { user } = await createUserWithEmailAndPassword(device(), email, password);
  await admin(':update', { localId: user.uid, disableUser: true });
  await assert.rejects(user.getIdToken(true), refusal('user-disabled'));
  await assert.rejects(signInWithEmailAndPassword(device(), email, password), refusal('user-disabled'));
});

test('a deleted user is signed out at the next refresh', async () => {
  const { user } = await createUserWithEmailAndPassword(device(), newEmail(), password);
  await admin(':delete', { localId: user.uid });
  await assert.rejects(user.getIdToken(true), refusal('user-token-expired'));
});

test('a user deletes the own account', async () => {
  const email = newEmail();
  const auth = device();
  const { user } = await createUserWithEmailAndPassword(auth, email, password);
  await deleteUser(user);
  assert.equal(auth.currentUser, null);
  await assert.rejects(signInWithEmailAndPassword(auth, email, password), refusal('invalid-credential'));
});

test('developer claims of a custom token survive refreshes', async () => {
  const { user } = await signInWithCustomToken(device(), customToken('custom-user', { sid: 's-1' }));
  const { user: other } = await signInWithCustomToken(device(), customToken('custom-user', { sid: 's-2' }));
  assert.equal(user.uid, 'custom-user');
  for (const [signedIn, sid] of [[user, 's-1'], [other, 's-2']]) {
    const refreshed = await claims(signedIn, true);
    assert.equal(refreshed.sid, sid);
    assert.equal(refreshed.firebase.sign_in_provider, 'custom');
  }
  await assert.rejects(signInWithCustomToken(device(), 'nonsense'), refusal('invalid-custom-token'));
});

test('custom claims of the account appear with the next refresh', async () => {
  const { user } = await createUserWithEmailAndPassword(device(), newEmail(), password);
  await admin(':update', { localId: user.uid, customAttributes: '{"admin":true}' });
  assert.equal((await claims(user)).admin, undefined);
  assert.equal((await claims(user, true)).admin, true);
});

test('an anonymous user keeps the uid when a password is added', async () => {
  const { user } = await signInAnonymously(device());
  assert.equal(user.isAnonymous, true);
  assert.equal((await claims(user, true)).firebase.sign_in_provider, 'anonymous');

  const email = newEmail();
  const linked = await linkWithCredential(user, EmailAuthProvider.credential(email, password));
  assert.equal(linked.user.uid, user.uid);
  assert.equal(user.isAnonymous, false);
  assert.equal((await claims(user)).firebase.sign_in_provider, 'password');
  assert.equal((await signInWithEmailAndPassword(device(), email, password)).user.uid, user.uid);
});

test('a profile is the user’s own to change', async () => {
  const { user } = await createUserWithEmailAndPassword(device(), newEmail(), password);
  await updateProfile(user, { displayName: 'Ana', photoURL: 'https://example.com/ana.png' });
  await user.reload();
  assert.equal(user.displayName, 'Ana');
  assert.equal((await claims(user, true)).picture, 'https://example.com/ana.png');
  await updateProfile(user, { displayName: '' });
  await user.reload();
  assert.equal(user.displayName, null);
});

test('a new password ends the other device and is a new sign-in on this one', async () => {
  const email = newEmail();
  const { user: here } = await createUserWithEmailAndPassword(device(), email, password);
  const { user: elsewhere } = await signInWithEmailAndPassword(device(), email, password);
  const before = await claims(here);
  await advance(10);
  await updatePassword(here, 'battery staple');

  const after = await claims(here, true);
  assert.ok(after.auth_time >= before.auth_time + 10);
  await assert.rejects(elsewhere.getIdToken(true), refusal('user-token-expired'));
  await assert.rejects(signInWithEmailAndPassword(device(), email, password), refusal('invalid-credential'));
  await signInWithEmailAndPassword(device(), email, 'battery staple');
});

test('a new address ends the other device and signs in from then on', async () => {
  const [email, moved] = [newEmail(), newEmail()];
  const { user: here } = await createUserWithEmailAndPassword(device(), email, password);
  const { user: elsewhere } = await signInWithEmailAndPassword(device(), email, password);
  await updateEmail(here, moved);

  assert.equal(here.email, moved);
  assert.equal((await claims(here, true)).email, moved);
  await assert.rejects(elsewhere.getIdToken(true), refusal('user-token-expired'));
  await signInWithEmailAndPassword(device(), moved, password);
});

test('a password change wants a recent sign-in', async () => {
  const email = newEmail();
  const { user } = await createUserWithEmailAndPassword(device(), email, password);
  await advance(301);
  await assert.rejects(updatePassword(user, 'battery staple'), refusal('requires-recent-login'));
  await assert.rejects(deleteUser(user), refusal('requires-recent-login'));
  await reauthenticateWithCredential(user, EmailAuthProvider.credential(email, password));
  await updatePassword(user, 'battery staple');
});
