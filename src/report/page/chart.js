// A chart of one metric over environment steps: SVG, in the pixels that there are.

// Round numbers, about `wanted` of them, that lie in [low, high].
function ticks(low, high, wanted) {
  const rough = (high - low) / Math.max(1, wanted), power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find(m => m * power >= rough);
  const result = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; ++i) result.push(i * step);
  return result;
}

// Texts of ticks, with as many figures as tell them apart.
function tickTexts(values) {
  for (let digits = 3; ; ++digits) {
    const texts = values.map(t => (values.some(v => Math.abs(v) >= 1e4) ? short(t, digits) : figure(t, digits)));
    if (digits > 12 || new Set(texts).size === texts.length) return texts;
  }
}

// The least and the largest of lists of numbers and nulls, with room between them.
function range(lists) {
  let low = Infinity, high = -Infinity;
  for (const list of lists)
    for (const x of list) if (x !== null) low = Math.min(low, x), high = Math.max(high, x);
  if (low > high) return [0, 1];
  if (low === high) return [low - (Math.abs(low) / 10 || 0.5), high + (Math.abs(high) / 10 || 0.5)];
  const room = (high - low) * 0.04;
  return [low >= 0 && low < 0.3 * high ? 0 : low - room, high + room];  // from 0, where that is near
}

// metric: {name, middle} and perhaps {low, high, lowest, highest, lines}; options: {x, xName, height} and perhaps {title, explanation, range,
// threshold, mark: {x, text}, now: the point that is read first, at(i) and extra(i): what is read at a point before and behind its value}
function chart(metric, options) {
  const {x} = options;
  const svg = makeSvg('svg', {role: 'img', tabindex: 0});
  const readout = make('output', {class: 'readout'});
  const figureElement = make('figure', {}, make('figcaption', {}, make('b', {}, options.title || metric.name),
    make('span', {}, options.explanation || '')), svg, readout, later('Data', () => dataTable(metric, options)));
  const lists = [metric.middle, ...['low', 'high', 'lowest', 'highest'].map(key => metric[key] || []), ...(metric.lines || [])];
  let [low, high] = options.range || range(lists);
  if (options.threshold !== undefined) low = Math.min(low, options.threshold), high = Math.max(high, options.threshold * 1.02);
  const last = metric.middle.reduce((found, value, i) => (value === null ? found : i), -1);
  svg.setAttribute('aria-label', `Line chart of ${options.title || metric.name} over ${options.xName}` + (last < 0 ? ', without numbers.'
    : `: from ${figure(metric.middle.find(v => v !== null))} to ${figure(metric.middle[last])} at ${count(x[last])}. Arrow keys read it.`));

  let now = options.now === undefined ? -1 : options.now, place = null;  // the point that is read; where points are
  function read(i) {
    if (i < 0) return;
    now = i;
    if (!place) return;  // not drawn yet
    const value = metric.middle[i];
    let text = `${options.at ? options.at(i) : `${count(x[i])} steps`}: ${figure(value)}`;
    if (metric.low && metric.low[i] !== null && metric.high[i] !== null)
      text += `, ${metric.lowest ? 'quartiles ' : ''}${figure(metric.low[i])} to ${figure(metric.high[i])}`;
    readout.textContent = text + (options.extra ? options.extra(i) : '');
    svg.querySelectorAll('.read').forEach(element => element.remove());
    svg.append(makeSvg('line', {class: 'cursor read', x1: place.x(x[i]), x2: place.x(x[i]), y1: place.top, y2: place.bottom}));
    if (value !== null) svg.append(makeSvg('circle', {class: 'point read', cx: place.x(x[i]), cy: place.y(value), r: 3.5}));
  }
  function draw() {
    const width = figureElement.clientWidth, height = options.height;
    if (!width) return;
    const yTicks = ticks(low, high, height / 42), labels = tickTexts(yTicks);
    const left = 10 + 7 * Math.max(...labels.map(l => l.length), 1), right = width - 8, top = 8, bottom = height - 34;
    const xLow = x[0], xHigh = x[x.length - 1] > x[0] ? x[x.length - 1] : x[0] + 1;
    place = {x: v => left + (v - xLow) / (xHigh - xLow) * (right - left), y: v => bottom - (v - low) / (high - low) * (bottom - top), top, bottom};
    svg.replaceChildren();
    svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    svg.setAttribute('height', height);
    yTicks.forEach((t, i) => svg.append(makeSvg('line', {class: 'grid', x1: left, x2: right, y1: place.y(t), y2: place.y(t)}),
      makeSvg('text', {x: left - 6, y: place.y(t) + 4, 'text-anchor': 'end'}, labels[i])));
    svg.append(makeSvg('line', {class: 'axis', x1: left, x2: right, y1: bottom, y2: bottom}));
    const xTicks = ticks(xLow, xHigh, (right - left) / 90), xLabels = tickTexts(xTicks);
    for (const [i, t] of xTicks.entries()) {
      const at = place.x(t), label = xLabels[i];
      const anchor = at + 4 * label.length > right ? 'end' : at - 4 * label.length < left ? 'start' : 'middle';
      svg.append(makeSvg('line', {class: 'axis', x1: at, x2: at, y1: bottom, y2: bottom + 4}),
        makeSvg('text', {x: at, y: bottom + 17, 'text-anchor': anchor}, label));
    }
    svg.append(makeSvg('text', {x: right, y: height - 3, 'text-anchor': 'end'}, options.xName));
    const band = (lower, upper, name) => lower && svg.append(makeSvg('path', {class: name, d: bandPath(lower, upper)}));
    band(metric.lowest, metric.highest, 'wide-band');
    band(metric.low, metric.high, 'band');
    for (const line of metric.lines || []) svg.append(makeSvg('path', {class: 'line', d: linePath(line)}));
    if (options.threshold !== undefined) {
      const y = place.y(options.threshold);
      svg.append(makeSvg('line', {class: 'threshold', x1: left, x2: right, y1: y, y2: y}),
        makeSvg('text', {class: 'threshold-text', x: left + 6, y: y + 16}, `solved from ${figure(options.threshold)}`));
    }
    if (options.mark) {
      const at = place.x(options.mark.x);
      svg.append(makeSvg('line', {class: 'mark', x1: at, x2: at, y1: top, y2: bottom}),
        makeSvg('text', {x: at + 5, y: bottom - 6}, options.mark.text || ''));
    }
    svg.append(makeSvg('path', {class: 'middle', d: linePath(metric.middle)}));
    if (last >= 0 && metric.middle.filter(v => v !== null).length === 1)
      svg.append(makeSvg('circle', {class: 'point', cx: place.x(x[last]), cy: place.y(metric.middle[last]), r: 3.5}));
    if (now < 0) {
      if (last >= 0) read(last);
      svg.querySelectorAll('.cursor.read').forEach(element => element.remove());
    } else {
      read(now);
    }
  }
  const at = (value, i) => `${place.x(x[i]).toFixed(1)} ${place.y(value).toFixed(1)}`;
  function linePath(values) {
    let d = '', pen = 'M';
    values.forEach((value, i) => {
      if (value !== null) d += pen + at(value, i);
      pen = value === null ? 'M' : 'L';
    });
    return d;
  }
  // A closed shape for each run of points that are there.
  function bandPath(lower, upper) {
    let d = '', run = [];
    const close = () => {
      if (run.length > 1) d += `M${run.map(i => at(upper[i], i)).join('L')}L${run.reverse().map(i => at(lower[i], i)).join('L')}Z`;
      run = [];
    };
    lower.forEach((value, i) => (value === null || upper[i] === null ? close() : run.push(i)));
    close();
    return d;
  }
  svg.addEventListener('pointermove', event => {
    if (!place) return;
    const box = svg.getBoundingClientRect();
    let best = 0;
    x.forEach((value, i) => {
      if (Math.abs(place.x(value) - (event.clientX - box.left)) < Math.abs(place.x(x[best]) - (event.clientX - box.left))) best = i;
    });
    read(best);
  });
  svg.addEventListener('keydown', event => {
    const step = {ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity}[event.key];
    if (step === undefined) return;
    event.preventDefault();
    read(Math.min(x.length - 1, Math.max(0, (now < 0 ? x.length - 1 : now) + step)));
  });
  drawOnResize(figureElement, draw);
  figureElement.read = read;
  return figureElement;
}

function dataTable(metric, options) {
  const columns = [[options.xName, options.x], [metric.lowest ? 'median' : metric.name, metric.middle]];
  if (metric.lowest)
    columns.push(['5 %', metric.lowest], ['25 %', metric.low], ['75 %', metric.high], ['95 %', metric.highest]);
  else if (metric.low)
    columns.push(['least', metric.low], ['largest', metric.high]);
  return table(columns.map(c => c[0]), options.x.map((_, i) => columns.map(([, values], k) => (k === 0 ? count(values[i]) : figure(values[i], 5)))));
}
