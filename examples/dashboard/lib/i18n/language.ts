/** The languages of the dashboard. */
export const LANGUAGES = { en: 'English', es: 'Español' } as const;

export type Language = keyof typeof LANGUAGES;

/** The remembered language, else the first of the browser's that we have, else English. */
export function chooseLanguage(remembered: string | undefined, acceptLanguage: string | null): Language {
  if (remembered === 'en' || remembered === 'es') return remembered;
  for (const tag of (acceptLanguage ?? '').split(',')) {
    const language = tag.trim().slice(0, 2).toLowerCase();
    if (language === 'en' || language === 'es') return language;
  }
  return 'en';
}
