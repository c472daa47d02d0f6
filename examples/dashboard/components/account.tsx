'use client';

import { createVigil } from '@vigilhq/client';
import { VigilProvider } from '@vigilhq/client/react';
import { onIdTokenChanged, signInWithEmailAndPassword, signOut, type User } from 'firebase/auth';
import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from 'react';
import type { Config } from '@/lib/config';
import { forgetEnd, rememberEnd } from '@/lib/end-reason';
import { firebaseAuth } from '@/lib/firebase';

interface Account {
  config: Config;
  /** Who is signed in at Firebase; undefined until that is known. */
  user: User | null | undefined;
  email: string;
  isAdmin: boolean;
  signIn(email: string, password: string): Promise<void>;
}

const AccountContext = createContext<Account | null>(null);

/** Ties Firebase and Vigil together: Firebase knows who signs in, Vigil for how long. */
export function AccountProvider({ config, children }: { config: Config; children: ReactNode }) {
  const [vigil] = useState(() =>
    createVigil({
      url: config.vigilUrl,
      getToken: async (force) => (await firebaseAuth(config).currentUser?.getIdToken(force)) ?? null,
      onEnded: async (reason) => {
        rememberEnd(reason);
        await signOut(firebaseAuth(config));
      },
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
      const { claims } = await user.getIdTokenResult();
      if (user.uid === uid) setState({ user, email: user.email ?? '', isAdmin: claims['admin'] === true });
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
