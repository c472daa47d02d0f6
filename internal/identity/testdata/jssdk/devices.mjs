// Devices for end-to-end tests: each one is an unchanged Firebase client SDK of its own, signed in and reading Firestore
// directly, as a dashboard does. A test drives them with lines of JSON on standard input, {id, device, action, …}, and
// reads what comes of them on standard output: {id, ok, …} for each line, and {device, heard, …} for what a listener hears.

import { createInterface } from 'node:readline';

import { initializeApp } from 'firebase/app';
import {
  connectAuthEmulator,
  inMemoryPersistence,
  initializeAuth,
  signInWithCustomToken,
  signInWithEmailAndPassword,
} from 'firebase/auth';
import {
  collection,
  connectFirestoreEmulator,
  getDocsFromServer,
  initializeFirestore,
  limit,
  memoryLocalCache,
  onSnapshot,
  query,
  setLogLevel,
  where,
} from 'firebase/firestore';

setLogLevel('silent'); // refused reads are what the tests are about

const { AUTH_URL, FIRESTORE_HOST, PROJECT_ID } = process.env;
const [host, port] = FIRESTORE_HOST.split(':');
const devices = new Map();

function device(name) {
  if (!devices.has(name)) {
    const app = initializeApp({ apiKey: 'any', projectId: PROJECT_ID }, name);
    const auth = initializeAuth(app, { persistence: inMemoryPersistence });
    connectAuthEmulator(auth, AUTH_URL, { disableWarnings: true });
    const db = initializeFirestore(app, { localCache: memoryLocalCache() });
    connectFirestoreEmulator(db, host, Number(port));
    devices.set(name, { auth, db });
  }
  return devices.get(name);
}

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

// target is the query for the documents of a collection whose list has a value.
const target = ({ db }, { path, field, value }) => query(collection(db, path), where(field, 'array-contains', value));

const names = (snapshot) => snapshot.docs.map((doc) => doc.id).sort();

const actions = {
  async signIn({ auth }, { email, password }) {
    const { user } = await signInWithEmailAndPassword(auth, email, password);
    return { token: await user.getIdToken() };
  },
  async signInWithCustomToken({ auth }, { customToken }) {
    const { user } = await signInWithCustomToken(auth, customToken);
    return { token: await user.getIdToken() };
  },
  async refresh({ auth }) {
    return { token: await auth.currentUser.getIdToken(true) };
  },
  // read asks the server. Its limit makes it a query of its own: what a listener is open for, the SDK answers from that.
  async read(from, what) {
    return { documents: names(await getDocsFromServer(query(target(from, what), limit(100)))) };
  },
  // listen answers with the first that the listener hears from the server.
  listen: (from, what) =>
    new Promise((resolve, reject) => {
      let first = true;
      onSnapshot(
        target(from, what),
        { includeMetadataChanges: true },
        (snapshot) => {
          if (snapshot.metadata.fromCache) return; // what this device knows already
          if (first) resolve({ documents: names(snapshot) });
          else say({ device: what.device, heard: 'documents', documents: names(snapshot) });
          first = false;
        },
        (error) => {
          if (first) reject(error);
          else say({ device: what.device, heard: 'end', code: error.code });
          first = false;
        },
      );
    }),
};

// The devices work side by side, so an action does not wait for the one before.
createInterface({ input: process.stdin })
  .on('line', async (line) => {
    const { id, action, ...what } = JSON.parse(line);
    try {
      say({ id, ok: true, ...(await actions[action](device(what.device), what)) });
    } catch (error) {
      say({ id, ok: false, code: error.code ?? 'unknown', message: String(error) });
    }
  })
  .on('close', () => process.exit(0));
