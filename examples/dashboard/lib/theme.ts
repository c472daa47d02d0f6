import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from '@mantine/core';

// The one accent: an indigo that has 4.5:1 with white from shade 6 on.
const iris: MantineColorsTuple = [
  '#f0f1ff', '#e0e2fd', '#bfc2f6', '#9a9ff0', '#7b81ea', '#676ee6', '#4f55d8', '#4348bd', '#3a3fa6', '#2d328a',
];

// Mantine's greys of the dark scheme, a little towards the accent.
const dark: MantineColorsTuple = [
  '#e4e6eb', '#b4b9c4', '#8f96a3', '#646b7a', '#434a58', '#323844', '#242932', '#191c23', '#13151a', '#0e1014',
];

export const theme = createTheme({
  primaryColor: 'iris',
  primaryShade: { light: 6, dark: 6 },
  colors: { iris, dark },
  fontFamily: '"Inter Variable", system-ui, sans-serif',
  headings: { fontFamily: '"Inter Variable", system-ui, sans-serif', fontWeight: '650' },
  defaultRadius: 'md',
  cursorType: 'pointer',
  components: {
    Card: { defaultProps: { withBorder: true, radius: 'lg', padding: 'lg' } },
    Modal: { defaultProps: { radius: 'lg', centered: true, padding: 'lg', overlayProps: { backgroundOpacity: 0.5, blur: 3 }, attributes: { header: { role: 'none' } } }, styles: { title: { fontWeight: 650 } } },
    Menu: { defaultProps: { position: 'bottom-end', shadow: 'md', radius: 'md', withinPortal: false, withInitialFocusPlaceholder: false } },
    Notification: { styles: { description: { color: 'var(--mantine-color-dimmed)' } } },
    Badge: { defaultProps: { radius: 'sm', tt: 'none', fw: 550 }, styles: { root: { height: 'auto', minHeight: 'var(--badge-height)' }, label: { whiteSpace: 'normal' } } },
    Tooltip: { defaultProps: { withArrow: true, openDelay: 300 } },
  },
});

// Mantine's quiet texts are below the 4.5:1 that WCAG asks for.
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-body': '#f8f9fb',
    '--mantine-color-dimmed': '#596069',
    '--mantine-color-placeholder': '#6c737b',
    '--mantine-color-error': '#c42020',
    '--mantine-color-red-filled': '#cc2929',
    '--mantine-color-red-filled-hover': '#b52121',
    '--mantine-color-red-light-color': '#b01e1e',
    '--mantine-color-green-light-color': '#1f6b30',
    '--mantine-color-yellow-light-color': '#7d4e00',
    '--mantine-color-gray-light-color': '#495057',
    '--mantine-color-iris-light-color': '#3a3fa6',
    '--vigil-surface': '#ffffff',
    '--vigil-border': '#e4e7ec',
  },
  dark: {
    '--mantine-color-body': '#111318',
    '--mantine-color-dimmed': '#a3a9b3',
    '--mantine-color-placeholder': '#8f96a1',
    '--mantine-color-error': '#ff8a8a',
    '--mantine-color-red-filled': '#cc2929',
    '--mantine-color-red-filled-hover': '#b52121',
    '--mantine-color-red-light': 'rgba(255, 107, 107, 0.15)',
    '--mantine-color-red-light-hover': 'rgba(255, 107, 107, 0.22)',
    '--mantine-color-red-light-color': '#ff9d9d',
    '--mantine-color-green-light': 'rgba(81, 207, 102, 0.14)',
    '--mantine-color-green-light-color': '#8ce99a',
    '--mantine-color-yellow-light': 'rgba(252, 196, 25, 0.13)',
    '--mantine-color-yellow-light-color': '#ffd864',
    '--mantine-color-gray-light': 'rgba(255, 255, 255, 0.07)',
    '--mantine-color-gray-light-hover': 'rgba(255, 255, 255, 0.1)',
    '--mantine-color-gray-light-color': '#c9cdd6',
    '--mantine-color-iris-light': 'rgba(123, 129, 234, 0.19)',
    '--mantine-color-iris-light-hover': 'rgba(123, 129, 234, 0.26)',
    '--mantine-color-iris-light-color': '#bcc0fb',
    '--mantine-color-anchor': '#a9aef8',
    '--vigil-surface': '#191c23',
    '--vigil-border': '#2b303b',
  },
});
