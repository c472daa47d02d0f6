'use client';

import { createTheme, MantineProvider, MantineThemeProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { useMemo, type ReactNode } from 'react';
import type { Config } from '@/lib/config';
import { LanguageProvider, useWords } from '@/lib/i18n';
import type { Language } from '@/lib/i18n/language';
import { theme, variables } from '@/lib/theme';
import { AccountProvider, useAccount } from './account';
import { ReauthProvider } from './reauth';

/** Everything that pages take from their surroundings. */
export function Providers({ config, language, children }: { config: Config; language: Language; children: ReactNode }) {
  return (
    <MantineProvider theme={theme} cssVariablesResolver={variables} defaultColorScheme="auto">
      <LanguageProvider initial={language}>
        <Inner config={config}>{children}</Inner>
      </LanguageProvider>
    </MantineProvider>
  );
}

function Inner({ config, children }: { config: Config; children: ReactNode }) {
  const { t } = useWords();
  const names = useMemo(() => {
    const defaultProps = { closeButtonProps: { 'aria-label': t.close } };
    return createTheme({ components: { Modal: { defaultProps }, Notification: { defaultProps }, PasswordInput: { defaultProps: { visibilityToggleFocusable: true, visibilityToggleButtonProps: { 'aria-label': t.reveal } } } } });
  }, [t]);
  return (
    <MantineThemeProvider theme={names} inherit>
      {/* More than the alerts that come together, which stay long: what somebody has just done is told beside them. */}
      <Notifications position="bottom-right" limit={6} autoClose={8000} />
      <AccountProvider config={config}>
        <OfOnePerson>{children}</OfOnePerson>
      </AccountProvider>
    </MantineThemeProvider>
  );
}

function OfOnePerson({ children }: { children: ReactNode }) {
  const { user } = useAccount();
  return <ReauthProvider key={user?.uid}>{children}</ReauthProvider>;
}
