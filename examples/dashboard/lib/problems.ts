'use client';

import { notifications } from '@mantine/notifications';
import { VigilError } from '@vigilhq/client';
import { FirebaseError } from 'firebase/app';
import { useCallback } from 'react';
import { useWords } from './i18n';

/** What to tell somebody about a request that Vigil has refused. */
export function useProblem(): (error: unknown) => string {
  const { t } = useWords();
  return useCallback((error) => (error instanceof VigilError && t.errors[error.code]) || t.errors['other'] || '', [t]);
}

/** Shows a failure as a toast, unless the session is over: the sign-in page says why. */
export function useReport(): (error: unknown) => void {
  const { t } = useWords();
  const problem = useProblem();
  return useCallback(
    (error) => {
      if (error instanceof VigilError && error.code === 'session_ended') return;
      notifications.show({ color: 'red', title: t.toasts.failed, message: problem(error) });
    },
    [t, problem],
  );
}

/** What to tell somebody about a sign-in that Firebase has refused. */
export function useSignInError(): (error: unknown) => string {
  const { t } = useWords();
  return useCallback(
    (error) => {
      const texts = t.signIn.errors;
      switch (error instanceof FirebaseError ? error.code : '') {
        case 'auth/invalid-credential':
        case 'auth/invalid-email':
        case 'auth/missing-password':
        case 'auth/user-not-found':
        case 'auth/wrong-password':
        case 'auth/invalid-login-credentials':
          return texts.credentials;
        case 'auth/user-disabled':
          return texts.disabled;
        case 'auth/too-many-requests':
          return texts.tooMany;
        case 'auth/network-request-failed':
          return texts.network;
        default:
          return texts.other;
      }
    },
    [t],
  );
}
