import { getApps, initializeApp } from 'firebase/app';
import { connectAuthEmulator, getAuth, type Auth } from 'firebase/auth';
import type { Config } from './config';

let auth: Auth | undefined;

/** Firebase Authentication, set up at the first call. For browsers only. */
export function firebaseAuth(config: Config): Auth {
  if (!auth) {
    const app = getApps()[0] ?? initializeApp(config.firebase);
    auth = getAuth(app);
    if (config.emulatorUrl && !auth.emulatorConfig) {
      connectAuthEmulator(auth, config.emulatorUrl, { disableWarnings: true });
    }
  }
  return auth;
}
