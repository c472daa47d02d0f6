import '@fontsource-variable/inter';
import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import '@mantine/charts/styles.css';
import './globals.css';

import { ColorSchemeScript, mantineHtmlProps } from '@mantine/core';
import type { Metadata, Viewport } from 'next';
import { cookies, headers } from 'next/headers';
import type { ReactNode } from 'react';
import { Providers } from '@/components/providers';
import { LANGUAGE_COOKIE, NONCE_HEADER, readConfig } from '@/lib/config';
import { dictionaries } from '@/lib/i18n/dictionaries';
import { chooseLanguage } from '@/lib/i18n/language';

// The titles are the pages' own, in the language that is chosen there: see PageTitle.
export async function generateMetadata(): Promise<Metadata> {
  return { description: dictionaries[await language()].description, robots: { index: false } };
}

export const viewport: Viewport = { width: 'device-width', initialScale: 1 };

export default async function RootLayout({ children }: { children: ReactNode }) {
  const chosen = await language();
  return (
    <html lang={chosen} {...mantineHtmlProps}>
      <head>
        <ColorSchemeScript defaultColorScheme="auto" nonce={(await headers()).get(NONCE_HEADER) ?? undefined} />
      </head>
      <body>
        <Providers config={readConfig()} language={chosen}>
          {children}
        </Providers>
      </body>
    </html>
  );
}

async function language() {
  return chooseLanguage((await cookies()).get(LANGUAGE_COOKIE)?.value, (await headers()).get('accept-language'));
}
