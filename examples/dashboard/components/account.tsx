'use client';

import { createVigil } from '@vigilhq/client';
import { VigilProvider } from '@vigilhq/client/react';
import { onIdTokenChanged, signInWithEmailAndPassword, signOut, type User } from 'firebase/auth';
import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from 'react';
import type { Config } from '@/lib/config';
import { forgetEnd, rememberEnd, type End } from '@/lib/end-reason';
import { firebaseAuth } from '@/lib/firebase';

interface Account {
  config: Config;
  /** Who is signed in at Firebase; undefined until that is known. */
  user: User | null | undefined;
  email: string;
  isAdmin: boolean;
  signIn(email: string, password: string): Promise<void>;
  /** Signs out of Firebase, and with that in all tabs, whatever the service says. The sign-in page tells the reason. */
  leave(reason: End): Promise<void>;
}

async function leave(config: Config, reason: End): Promise<void> {
  rememberEnd(reason);
  await signOut(firebaseAuth(config));
}

const AccountContext = createContext<Account | null>(null);

/** Ties Firebase and Vigil together: Firebase knows who signs in, Vigil for how long. */
export function AccountProvider({ config, children }: { config: Config; children: ReactNode }) {
  const [vigil] = useState(() =>
    createVigil({
      url: config.vigilUrl,
      getToken: async (force) => (await firebaseAuth(config).currentUser?.getIdToken(force)) ?? null,
      onEnded: (reason) => leave(config, reason),
      cookie: {},
    }),
  );
  const [state, setState] = useState<{ user: User | null | undefined; email: string; isAdmin: boolean }>({
    user: undefined,
    email: '',
    isAdmin: false,
  });

  useEffect(() => {
    let uid: string | undefined;
    // Not onAuthStateChanged: a refreshed token can bring other claims.
    const unsubscribe = onIdTokenChanged(firebaseAuth(config), async (user) => {
      if (!user) {
        uid = undefined;
        vigil.stop();
        setState({ user: null, email: '', isAdmin: false });
        return;
      }
      if (user.uid !== uid) {
        uid = user.uid;
        vigil.start();
      }
      // Without a token, as when it has run out off line, what was known of the same person stands.
      const admin = await user.getIdTokenResult().then(({ claims }) => claims['admin'] === true, () => null);
      if (user.uid !== uid) return;
      setState((known) => ({ user, email: user.email ?? '', isAdmin: admin ?? (known.user?.uid === uid && known.isAdmin) }));
    });
    return () => {
      unsubscribe();
      vigil.stop();
    };
  }, [config, vigil]);

  const account = useMemo<Account>(
    () => ({
      ...state,
      config,
      async signIn(email, password) {
        await signInWithEmailAndPassword(firebaseAuth(config), email, password);
        forgetEnd();
      },
      leave: (reason) => leave(config, reason),
    }),
    [state, config],
  );
  return (
    <AccountContext value={account}>
      <VigilProvider client={vigil}>{children}</VigilProvider>
    </AccountContext>
  );
}

export function useAccount(): Account {
  const account = useContext(AccountContext);
  if (!account) throw new Error('useAccount is called outside AccountProvider');
  return account;
}
