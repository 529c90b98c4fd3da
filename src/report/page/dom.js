// Elements and numbers as text. Whatever comes from the run's files becomes text nodes and attributes, never markup.

const data = JSON.parse(document.getElementById('data').textContent);
const by = id => document.getElementById(id);

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter(child => child !== null && child !== undefined));
  return element;
}
const make = (tag, attributes = {}, ...children) => filled(document.createElement(tag), attributes, children);
const makeSvg = (tag, attributes = {}, ...children) =>
  filled(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);

// A finite number, or null: a file may say anything.
const number = x => (typeof x === 'number' && Number.isFinite(x) ? x : null);
const isObject = x => typeof x === 'object' && x !== null && !Array.isArray(x);

const minus = text => text.replace('-', '\u2212');
const count = x => minus(Math.round(x).toLocaleString('en-US'));
function figure(x, digits = 4) {
  if (x === null || x === undefined) return '\u2013';
  const size = Math.abs(x);
  if (size >= 1e7 || (size > 0 && size < 1e-4)) return minus(x.toExponential(digits - 2).replace(/\.?0+e/, 'e').replace('e+', 'e'));
  if (size >= 1000) return minus(x.toLocaleString('en-US', {maximumFractionDigits: size >= 1e4 ? 0 : 1}));
  return minus(String(Number(x.toPrecision(digits))));
}
const percent = x => `${figure(Number((100 * x).toFixed(1)), 5)} %`;
// 20k, 1.5M
function short(x, digits = 4) {
  for (const [unit, letter] of [[1e9, 'G'], [1e6, 'M'], [1e3, 'k']])
    if (Math.abs(x) >= unit && Math.abs(x) < 1e13) return minus(String(Number((x / unit).toPrecision(digits)))) + letter;
  return figure(x, digits);
}
function seconds(x) {
  if (x < 1) return `${figure(1000 * x, 3)} ms`;
  if (x < 60) return `${figure(x, 3)} s`;
  return x < 3600 ? `${Math.floor(x / 60)} min ${Math.floor(x % 60)} s` : `${Math.floor(x / 3600)} h ${Math.floor((x % 3600) / 60)} min`;
}

// A table of texts: columns of figures to the right.
function table(headings, rows) {
  return make('div', {class: 'scroll', tabindex: 0, role: 'group', 'aria-label': `Table: ${headings.join(', ')}`},
    make('table', {}, make('thead', {}, make('tr', {}, ...headings.map(h => make('th', {scope: 'col'}, h)))),
      make('tbody', {}, ...rows.map(row => make('tr', {}, ...row.map(cell => make('td', {}, cell)))))));
}
// A closed element whose contents are made when it is first opened.
function later(summary, contents) {
  const details = make('details', {}, make('summary', {}, summary));
  details.addEventListener('toggle', () => { if (details.open && details.children.length === 1) details.append(contents()); });
  return details;
}

const color = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
// [r, g, b] of a color #rrggbb of the style.
const rgb = name => [1, 3, 5].map(at => parseInt(color(name).slice(at, at + 2), 16));
const mixed = (a, b, part) => a.map((x, i) => x + (b[i] - x) * part);
// From -1 to 1: negative, zero, positive.
function diverging(colors, x) {
  const part = Math.min(1, Math.abs(x));
  return mixed(colors.zero, x < 0 ? colors.negative : colors.positive, part);
}
const divergingColors = () => ({negative: rgb('negative'), zero: rgb('zero'), positive: rgb('positive')});

// What has to be drawn again when the theme changes: canvases, which do not see the style.
const redraws = [];
function drawOnResize(element, draw) {
  let width = 0;
  new ResizeObserver(() => {
    if (element.clientWidth === width) return;
    width = element.clientWidth;
    draw();
  }).observe(element);
}
// A canvas of so many CSS pixels, sharp on every screen; returns its context in CSS pixels.
function sharp(canvas, width, height) {
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.style.height = `${height}px`;
  const context = canvas.getContext('2d');
  context.setTransform(scale, 0, 0, scale, 0, 0);
  return context;
}
