'use client';

import { createTheme, MantineProvider, MantineThemeProvider } from '@mantine/core';
import { ModalsProvider } from '@mantine/modals';
import { Notifications } from '@mantine/notifications';
import { useMemo, type ReactNode } from 'react';
import type { Config } from '@/lib/config';
import { LanguageProvider, useWords } from '@/lib/i18n';
import type { Language } from '@/lib/i18n/language';
import { theme, variables } from '@/lib/theme';
import { AccountProvider } from './account';
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
    return createTheme({ components: { Modal: { defaultProps }, Notification: { defaultProps }, PasswordInput: { defaultProps: { visibilityToggleButtonProps: { 'aria-label': t.reveal } } } } });
  }, [t]);
  return (
    <MantineThemeProvider theme={names} inherit>
      <ModalsProvider>
        <Notifications position="bottom-right" limit={4} autoClose={8000} />
        <AccountProvider config={config}>
          <ReauthProvider>{children}</ReauthProvider>
        </AccountProvider>
      </ModalsProvider>
    </MantineThemeProvider>
  );
}
