import { initializeApp } from 'firebase/app';
import { browserLocalPersistence, connectAuthEmulator, indexedDBLocalPersistence, initializeAuth, type Auth } from 'firebase/auth';
import type { Config } from './config';

let auth: Auth | undefined;

/** Firebase Authentication, set up at the first call. For browsers only. */
export function firebaseAuth(config: Config): Auth {
  if (!auth) {
    // Not getAuth, which on some browsers loads a script of Google's for sign-ins in pop-ups: there are none here.
    auth = initializeAuth(initializeApp(config.firebase), { persistence: [indexedDBLocalPersistence, browserLocalPersistence] });
    if (config.emulatorUrl) connectAuthEmulator(auth, config.emulatorUrl, { disableWarnings: true });
  }
  return auth;
}
