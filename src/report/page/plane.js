// Action probabilities over two of the observations; the others are where sliders put them.
function showPlane() {
  if (!policy) {
    by('plane').hidden = true;
    return;
  }
  by('plane-parts').hidden = false;
  const names = environment.observations, n = names.length, actions = environment.actions;
  // where the policy goes by itself, and a little beyond
  const seen = [];
  for (let number = 0; number < 8 && seen.length * policy.count < 1e7; ++number)
    for (const step of episode(number, 'sampled')) seen.push(step.observation);
  const ranges = names.map((_, i) => {
    let low = Infinity, high = -Infinity;
    for (const x of seen) if (Number.isFinite(x[i])) low = Math.min(low, x[i]), high = Math.max(high, x[i]);
    const room = (high - low) * 0.25 || 1;
    return low <= high ? [low - room, high + room] : [-1, 1];
  });
  const values = names.map((_, i) => Math.min(ranges[i][1], Math.max(ranges[i][0], 0)));
  const xSelect = by('plane-x'), ySelect = by('plane-y'), show = by('plane-show');
  for (const select of [xSelect, ySelect]) select.append(...names.map((name, i) => make('option', {value: i}, name)));
  xSelect.value = String(Math.max(0, n - 2));  // an angle and its velocity, often
  ySelect.value = String(n - 1);
  if (actions.length === 2) {
    by('plane-show-label').hidden = true;
  } else {
    show.append(make('option', {value: -1}, 'the likeliest action'), ...actions.map((name, i) => make('option', {value: i}, `P(${name})`)));
  }
  by('plane-note').textContent = 'The probability of each action, computed by the network. '
    + 'Axes reach a little beyond what some episodes with drawn actions visit; the line is the episode of the replay below, as far as it is in this plane.';

  // The palette of the likeliest action: from negative to positive.
  const paints = () => {
    const colors = divergingColors();
    return actions.map((_, i) => (actions.length === 3 && i === 1 ? rgb('ground') : diverging(colors, 2 * i / (actions.length - 1) - 1)));
  };
  const css = c => `rgb(${c.map(Math.round).join(' ')})`;

  const canvas = by('plane-canvas'), sliders = by('plane-sliders');
  let picture = null, place = null;
  function makeSliders() {
    sliders.replaceChildren(...names.map((name, i) => {
      if (String(i) === xSelect.value || String(i) === ySelect.value) return '';
      const shown = make('span', {}, figure(values[i], 3));
      const input = make('input', {type: 'range', min: ranges[i][0], max: ranges[i][1], step: 'any', value: values[i]});
      input.addEventListener('input', () => {
        values[i] = Number(input.value);
        shown.textContent = figure(values[i], 3);
        compute();
      });
      return make('label', {class: 'slider'}, name, shown, input);
    }));
  }
  function observationAt(u, v) {  // from 0 to 1 along both axes
    const x = Number(xSelect.value), y = Number(ySelect.value), observation = values.map(fr);
    observation[x] = fr(ranges[x][0] + u * (ranges[x][1] - ranges[x][0]));
    observation[y] = fr(ranges[y][0] + v * (ranges[y][1] - ranges[y][0]));
    return observation;
  }
  function compute() {
    // some 20 million multiplications at most
    const size = Math.max(24, Math.min(120, Math.floor(Math.sqrt(2e7 / policy.count))));
    picture = make('canvas', {width: size, height: size});
    const context = picture.getContext('2d'), image = context.createImageData(size, size);
    const colors = divergingColors(), palette = paints(), which = actions.length === 2 ? 1 : Number(show.value);
    for (let row = 0; row < size; ++row)
      for (let column = 0; column < size; ++column) {
        const p = probabilities(observationAt((column + 0.5) / size, 1 - (row + 0.5) / size));
        let pixel;
        if (which < 0) {
          const best = p.indexOf(Math.max(...p));
          pixel = best < 0 ? colors.zero : mixed(colors.zero, palette[best], p[best]);
        } else {
          pixel = Number.isFinite(p[which]) ? diverging(colors, 2 * p[which] - 1) : colors.zero;
        }
        image.data.set([...pixel, 255], 4 * (row * size + column));
      }
    context.putImageData(image, 0, 0);
    draw();
  }
  function legend() {
    const which = Number(show.value);
    if (actions.length === 2 || which >= 0) {
      by('plane-legend').replaceChildren(`P(${actions[actions.length === 2 ? 1 : which]})`, make('span', {}, '0'), make('span', {class: 'ramp'}), '1');
    } else {
      const palette = paints();
      by('plane-legend').replaceChildren(...actions.map((name, i) => make('span', {}, make('i', {style: `background:${css(palette[i])}`}), name)));
    }
  }
  function draw() {
    const width = canvas.parentElement.clientWidth;
    if (!width || !picture) return;
    const height = Math.min(width, 460), context = sharp(canvas, width, height);
    const left = 62, right = width - 14, top = 14, bottom = height - 44, x = Number(xSelect.value), y = Number(ySelect.value);
    place = {left, right, top, bottom};
    const toX = value => left + (value - ranges[x][0]) / (ranges[x][1] - ranges[x][0]) * (right - left);
    const toY = value => bottom - (value - ranges[y][0]) / (ranges[y][1] - ranges[y][0]) * (bottom - top);
    context.clearRect(0, 0, width, height);
    context.imageSmoothingEnabled = true;
    context.drawImage(picture, left, top, right - left, bottom - top);
    context.fillStyle = context.strokeStyle = color('soft');
    context.lineWidth = 1;
    context.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    context.textAlign = 'center';
    for (const t of ticks(...ranges[x], (right - left) / 90)) {
      context.fillRect(Math.round(toX(t)), bottom, 1, 5);
      context.fillText(figure(t), toX(t), bottom + 18);
    }
    context.fillText(names[x], (left + right) / 2, height - 6);
    context.textAlign = 'right';
    for (const t of ticks(...ranges[y], (bottom - top) / 60)) {
      context.fillRect(left - 5, Math.round(toY(t)), 5, 1);
      context.fillText(figure(t), left - 8, toY(t) + 4);
    }
    context.save();
    context.translate(12, (top + bottom) / 2);
    context.rotate(-Math.PI / 2);
    context.textAlign = 'center';
    context.fillText(names[y], 0, 0);
    context.restore();
    context.save();
    context.beginPath();
    context.rect(left, top, right - left, bottom - top);
    context.clip();
    context.strokeStyle = color('ink');
    context.globalAlpha = Math.max(0.12, Math.min(0.5, 60 / replay.steps.length));
    context.beginPath();
    for (const step of replay.steps) context.lineTo(toX(step.observation[x]), toY(step.observation[y]));
    context.stroke();
    context.globalAlpha = 1;
    const now = replay.steps.length > 0 ? replay.steps[replay.now].observation : [];
    context.fillStyle = color('ink');
    context.strokeStyle = color('paper');
    context.lineWidth = 2;
    context.beginPath();
    context.arc(toX(now[x]), toY(now[y]), 5, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
    context.restore();
  }
  canvas.addEventListener('pointermove', event => {
    const box = canvas.getBoundingClientRect();
    const u = (event.clientX - box.left - place.left) / (place.right - place.left), v = (place.bottom - (event.clientY - box.top)) / (place.bottom - place.top);
    if (u < 0 || u > 1 || v < 0 || v > 1) return;
    const observation = observationAt(u, v), p = probabilities(observation), x = Number(xSelect.value), y = Number(ySelect.value);
    by('plane-text').textContent = `${names[x]} ${figure(observation[x], 3)}\n${names[y]} ${figure(observation[y], 3)}\n`
      + actions.map((name, i) => `${name} ${percent(p[i])}`).join('\n');
  });
  for (const select of [xSelect, ySelect])
    select.addEventListener('change', () => {
      if (xSelect.value === ySelect.value && n > 1) {
        const other = select === xSelect ? ySelect : xSelect;
        other.value = String((Number(other.value) + 1) % n);
      }
      makeSliders();
      compute();
    });
  show.addEventListener('change', () => {
    legend();
    compute();
  });
  makeSliders();
  redraws.push(() => {
    legend();
    compute();
  });
  drawOnResize(canvas.parentElement, draw);
  replay.watchers.push(draw);
}
