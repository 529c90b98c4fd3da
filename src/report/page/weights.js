// Each tensor as a picture; lying where it has more rows than columns.
function tensorPicture(tensor) {
  const {name, rows, columns, offset} = tensor;
  let largest = 0;
  for (let i = 0; i < rows * columns; ++i) largest = Math.max(largest, Math.abs(parameters[offset + i]));
  const lying = rows > columns, across = lying ? rows : columns, down = lying ? columns : rows;
  const entry = (x, y) => (lying ? x * columns + y : y * columns + x);
  const cell = Math.max(1, Math.floor(Math.min(18, 640 / across, 320 / down)));
  const canvas = make('canvas', {width: across, height: down, role: 'img', style: `width:${across * cell}px;aspect-ratio:${across}/${down}`,
    'aria-label': `Weights ${name}, ${rows} by ${columns}, from ${figure(-largest)} to ${figure(largest)}`});
  const readout = make('output', {class: 'readout'});
  redraws.push(() => {
    const context = canvas.getContext('2d'), image = context.createImageData(across, down), colors = divergingColors();
    for (let y = 0; y < down; ++y)
      for (let x = 0; x < across; ++x)
        image.data.set([...diverging(colors, parameters[offset + entry(x, y)] / (largest || 1)), 255], 4 * (y * across + x));
    context.putImageData(image, 0, 0);
  });
  canvas.addEventListener('pointermove', event => {
    const box = canvas.getBoundingClientRect();
    const x = Math.floor((event.clientX - box.left) / box.width * across), y = Math.floor((event.clientY - box.top) / box.height * down);
    if (x < 0 || x >= across || y < 0 || y >= down) return;
    const at = entry(x, y), row = Math.floor(at / columns);
    readout.textContent = `output ${row}${columns > 1 ? `, input ${at % columns}` : ''}: ${figure(parameters[offset + at], 6)}`;
  });
  return make('figure', {}, make('figcaption', {}, make('b', {}, name), make('span', {}, `${rows} \u00d7 ${columns}${lying ? ', outputs across' : columns > 1 ? ', outputs down' : ''}`)), canvas,
    make('div', {class: 'scale'}, figure(-largest, 3), make('i', {}), figure(largest, 3)), readout);
}

function showWeights() {
  const note = !data.policy ? 'The run left no policy whose numbers are finite.'
    : !policy ? `${data.policy.network}: its ${count(data.policy.count)} parameters would make this page too large.`
      : `${policy.network}${several ? `, of seed ${policy.seed}` : ''}: ${count(policy.count)} parameters. Each picture has a scale of its own.`;
  by('weights-note').textContent = note;
  if (policy) by('tensors').append(...policy.tensors.map(tensorPicture));
}
