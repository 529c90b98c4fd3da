// The page, from top to bottom.
function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  by('theme').textContent = theme === 'dark' ? 'Light' : 'Dark';
  by('theme').setAttribute('aria-label', theme === 'dark' ? 'Light colors' : 'Dark colors');
  for (const redraw of redraws) redraw();
}
const prefersDark = matchMedia('(prefers-color-scheme: dark)');
setTheme(prefersDark.matches ? 'dark' : 'light');
prefersDark.addEventListener('change', () => setTheme(prefersDark.matches ? 'dark' : 'light'));
by('theme').addEventListener('click', () => setTheme(document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark'));
// on paper: light
let onScreen = null;
addEventListener('beforeprint', () => { onScreen = document.documentElement.dataset.theme; setTheme('light'); });
addEventListener('afterprint', () => onScreen && setTheme(onScreen));

showHeadline();
showCurves();
showReceipts();
showWeights();
showReplay();
showPlane();
for (const redraw of redraws) redraw();
