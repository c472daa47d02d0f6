/** Where the dashboard finds what it needs. Read by the server at each request, so one build runs anywhere. */
export interface Config {
  /** The address of the Vigil service, as browsers reach it. */
  vigilUrl: string;
  /** The address of the Auth emulator or of `vigil dev`; null against Firebase itself. */
  emulatorUrl: string | null;
  firebase: { apiKey: string; authDomain?: string; projectId: string };
}

/** The header in which a request carries the nonce of its page's scripts. */
export const NONCE_HEADER = 'x-nonce';

/** The cookie that remembers the language. */
export const LANGUAGE_COOKIE = 'vigil_dashboard_language';

// Not `process.env.NEXT_PUBLIC_…`, which Next.js replaces while it builds.
const setting = (name: string): string | undefined => process.env[name];

/** Reads the settings on the server. Without an API key of a Firebase project it expects `vigil dev` on this machine. */
export function readConfig(): Config {
  const apiKey = setting('NEXT_PUBLIC_FIREBASE_API_KEY');
  const authDomain = setting('NEXT_PUBLIC_FIREBASE_AUTH_DOMAIN');
  return {
    vigilUrl: setting('NEXT_PUBLIC_VIGIL_URL') ?? 'http://127.0.0.1:8080',
    emulatorUrl: (setting('NEXT_PUBLIC_AUTH_EMULATOR_URL') ?? (apiKey ? '' : 'http://127.0.0.1:9099')) || null,
    firebase: {
      apiKey: apiKey ?? 'dev',
      projectId: setting('NEXT_PUBLIC_FIREBASE_PROJECT_ID') ?? 'demo-vigil',
      ...(authDomain ? { authDomain } : {}),
    },
  };
}
