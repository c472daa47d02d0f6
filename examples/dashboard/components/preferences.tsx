'use client';

import { ActionIcon, Group, Menu, useMantineColorScheme } from '@mantine/core';
import { IconCheck, IconDeviceDesktop, IconLanguage, IconMoon, IconSun } from '@tabler/icons-react';
import { useWords } from '@/lib/i18n';
import { LANGUAGES, type Language } from '@/lib/i18n/language';

const SCHEMES = { auto: IconDeviceDesktop, light: IconSun, dark: IconMoon } as const;

/** Language and theme. */
export function Preferences() {
  const { t, language, setLanguage } = useWords();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <Group gap={4} wrap="nowrap">
      <Menu width={170}>
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" size={36} aria-label={t.nav.language}>
            <IconLanguage size={19} stroke={1.7} aria-hidden />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {(Object.keys(LANGUAGES) as Language[]).map((code) => (
            <Menu.Item
              key={code}
              lang={code}
              role="menuitemradio"
              aria-checked={code === language}
              rightSection={code === language && <IconCheck size={15} aria-hidden />}
              onClick={() => setLanguage(code)}
            >
              {LANGUAGES[code]}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
      <Menu width={170}>
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" size={36} aria-label={t.nav.theme}>
            <IconSun size={19} stroke={1.7} aria-hidden className="only-light" />
            <IconMoon size={19} stroke={1.7} aria-hidden className="only-dark" />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {(Object.keys(SCHEMES) as (keyof typeof SCHEMES)[]).map((scheme) => {
            const Icon = SCHEMES[scheme];
            return (
              <Menu.Item
                key={scheme}
                role="menuitemradio"
                aria-checked={scheme === colorScheme}
                leftSection={<Icon size={16} stroke={1.7} aria-hidden />}
                rightSection={scheme === colorScheme && <IconCheck size={15} aria-hidden />}
                onClick={() => setColorScheme(scheme)}
              >
                {t.nav.themes[scheme]}
              </Menu.Item>
            );
          })}
        </Menu.Dropdown>
      </Menu>
    </Group>
  );
}
