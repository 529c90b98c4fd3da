// Episodes of `cupg eval` (its seed 0), played by the policy here and now.
const replay = {steps: [], now: 0, watchers: []};

function showReplay() {
  if (!policy || !environment.draw) {
    by('replay').hidden = true;
    return;
  }
  by('replay-parts').hidden = false;
  by('replay-note').textContent = `Episodes as cupg eval plays them with ${several ? `the policy of seed ${policy.seed}` : 'this policy'}. `
    + 'Push, and the policy answers from there on.';
  const canvas = by('replay-canvas'), time = by('replay-time'), playButton = by('replay-play');
  let playing = false, clock = 0, pushes = [], whole = [];

  const number = () => {
    const x = Math.round(Number(by('replay-episode').value));
    return Number.isFinite(x) ? Math.min(16777215, Math.max(0, x)) : 0;
  };
  const mode = () => by('replay-mode').value;
  const lastStep = () => replay.steps.length - 1;

  function draw() {
    const width = canvas.parentElement.clientWidth;
    if (!width) return;
    const {left, right, bottom, top} = environment.view;
    const fitted = Math.min(width, 520 * (right - left) / (top - bottom)), height = fitted * (top - bottom) / (right - left);
    const context = sharp(canvas, width, height);
    context.clearRect(0, 0, width, height);
    context.translate((width - fitted) / 2, 0);
    environment.draw(replay.steps[replay.now].state, new Canvas(context, fitted));
  }
  function show(t) {
    replay.now = Math.max(0, Math.min(lastStep(), t));
    const step = replay.steps[replay.now];
    time.max = lastStep();
    time.value = replay.now;
    const what = step.action === null || step.ended ? step.ended
      : `${environment.actions[step.action]} (${percent(step.probabilities[step.action])})`;
    by('replay-text').textContent = `step ${replay.now}, return ${figure(step.total)}, value ${figure(step.value, 3)}, ${what}`;
    time.setAttribute('aria-valuetext', `step ${replay.now} of ${lastStep()}, ${what}`);
    by('replay-left').disabled = by('replay-right').disabled = !environment.nudge || replay.now === lastStep();
    by('replay-undo').disabled = pushes.length === 0;
    for (const shown of by('replay-charts').children) shown.read(replay.now);
    draw();
    for (const watch of replay.watchers) watch();
  }
  function summarize() {
    const end = replay.steps[lastStep()];
    by('replay-summary').textContent = `Return ${figure(end.total)} in ${count(lastStep())} steps`
      + (pushes.length === 0 ? '.' : `, pushed at step ${pushes.join(', ')}; ${figure(whole[whole.length - 1].total)} without.`);
    drawObservations();
  }
  function pause() {
    playing = false;
    playButton.textContent = 'Play';
  }
  function begin() {
    pause();
    pushes = [];
    replay.steps = whole = episode(number(), mode());
    summarize();
    show(0);
  }
  function push(direction) {
    const t = replay.now, step = replay.steps[t];
    pushes.push(t);
    replay.steps = play(replay.steps.slice(0, t), environment.nudge(step.state, direction), step.total, number(), mode());
    summarize();
    show(t);
  }
  let before = 0;
  function tick(now) {
    if (!playing) return;
    clock += Math.min(0.25, (now - before) / 1000) * Number(by('replay-speed').value) / environment.seconds_per_step;
    before = now;
    const steps = Math.floor(clock);
    clock -= steps;
    if (steps > 0) show(replay.now + steps);
    if (replay.now === lastStep()) return pause();
    requestAnimationFrame(tick);
  }
  playButton.addEventListener('click', () => {
    if (playing) return pause();
    if (replay.now === lastStep()) show(0);
    playing = true;
    playButton.textContent = 'Pause';
    before = performance.now();
    clock = 0;
    requestAnimationFrame(tick);
  });
  time.addEventListener('input', () => show(Number(time.value)));
  by('replay-back').addEventListener('click', () => { pause(); show(replay.now - 1); });
  by('replay-forward').addEventListener('click', () => { pause(); show(replay.now + 1); });
  by('replay-left').addEventListener('click', () => push(-1));
  by('replay-right').addEventListener('click', () => push(1));
  by('replay-undo').addEventListener('click', () => {
    pushes = [];
    replay.steps = whole;
    summarize();
    show(replay.now);
  });
  by('replay-mode').addEventListener('change', begin);
  by('replay-episode').addEventListener('change', begin);
  if (!environment.nudge) by('replay-nudges').hidden = true;

  function drawObservations() {
    const x = replay.steps.map((_, t) => t), finite = v => (Number.isFinite(v) ? v : null);
    const shown = environment.actions.slice(environment.actions.length === 2 ? 1 : 0);  // of two, one says both
    const names = [...environment.observations, 'value', ...shown.map(name => `P(${name})`)];
    const rows = replay.steps.map(step => [...step.observation, step.value, ...step.probabilities.slice(-shown.length)]);
    by('replay-charts').replaceChildren(...names.map((name, i) =>
      chart({name, middle: rows.map(row => finite(row[i]))}, {x, xName: 'step of the episode', height: 150, now: replay.now, at: t => `step ${t}`})));
  }
  begin();
  drawOnResize(canvas.parentElement, draw);
  redraws.push(draw);
}
