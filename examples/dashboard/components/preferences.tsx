'use client';

import { ActionIcon, Group, Menu, useMantineColorScheme, type MantineColorScheme } from '@mantine/core';
import { IconLanguage, IconMoon, IconSun } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { useWords } from '@/lib/i18n';
import { LANGUAGES, type Language } from '@/lib/i18n/language';

/** Language and theme. */
export function Preferences() {
  const { t, language, setLanguage } = useWords();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <Group gap={4} wrap="nowrap">
      <Choice label={t.nav.language} icon={<IconLanguage size={19} stroke={1.7} aria-hidden />} value={language} onChange={(value) => setLanguage(value as Language)}>
        {Object.entries(LANGUAGES).map(([code, name]) => <Menu.RadioItem key={code} value={code} lang={code} closeMenuOnClick>{name}</Menu.RadioItem>)}
      </Choice>
      <Choice
        label={t.nav.theme}
        icon={
          <>
            <IconSun size={19} stroke={1.7} aria-hidden className="only-light" />
            <IconMoon size={19} stroke={1.7} aria-hidden className="only-dark" />
          </>
        }
        value={colorScheme}
        onChange={(value) => setColorScheme(value as MantineColorScheme)}
      >
        {Object.entries(t.nav.themes).map(([scheme, name]) => <Menu.RadioItem key={scheme} value={scheme} closeMenuOnClick>{name}</Menu.RadioItem>)}
      </Choice>
    </Group>
  );
}

function Choice({ label, icon, value, onChange, children }: { label: string; icon: ReactNode; value: string; onChange: (value: string) => void; children: ReactNode }) {
  return (
    <Menu width={170}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size={36} aria-label={label}>{icon}</ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.RadioGroup value={value} onChange={onChange}>{children}</Menu.RadioGroup>
      </Menu.Dropdown>
    </Menu>
  );
}
