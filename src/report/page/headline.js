// What the run came to, its curves, and what it was made with.

const summary = isObject(data.result.summary) ? data.result.summary : {};
const several = data.seeds > 1;

// "497.0", and "95 %: 496.5 to 497.5" where there is an interval; an end that nobody knows is open.
function estimate(value, interval, text) {
  const ends = Array.isArray(interval) ? interval.map(number) : [null, null];
  const more = ends[0] === null && ends[1] === null ? null
    : ends[1] === null ? `95 % interval: from ${text(ends[0])} on` : `95 % interval: ${text(ends[0])} to ${text(ends[1])}`;
  return [number(value) === null ? '\u2013' : text(value), more];
}

function outcome() {
  const environmentName = data.environment, n = data.seeds;
  if (several) {
    const share = number(summary.solved_fraction);
    if (share === null) return `${count(n)} agents.`;
    return `${count(share * n)} of ${count(n)} agents solved ${environmentName}.`;
  }
  const agent = data.agents[0] || {}, steps = number(agent.solved_env_steps), whole = number(agent.env_steps);
  const reached = number(agent.final_return) === null ? '' : ` Its greedy policy\u2019s mean return is ${figure(agent.final_return)}`
    + `; the task is solved from ${figure(environment.threshold)}, and at most ${figure(environment.max_return)} is possible.`;
  if (steps !== null) return `Solved after ${count(steps)} environment steps.${reached}`;
  return `Not solved${whole === null ? '' : ` after ${count(whole)} environment steps`}${agent.outcome === 'diverged' ? ': it diverged' : ''}.${reached}`;
}

function figures() {
  const list = [], steps = isObject(summary.steps_to_solve) ? summary.steps_to_solve : {}, result = data.result;
  const add = (name, [value, more]) => list.push([name, value, more]);
  if (several) {
    add('solved', estimate(summary.solved_fraction, summary.solved_fraction_ci95, percent));
    add('return, interquartile mean', estimate(summary.iqm, summary.ci95, x => x.toFixed(1)));
    // where 90 % of all agents lie, with 95 % confidence
    const lie = isObject(summary.tolerance) ? summary.tolerance : {};
    const most = (ends, text) => {
      const [low, high] = Array.isArray(ends) ? ends.map(number) : [null, null];
      return low === null ? null : `90 % of agents: ${text(low)} ${high === null ? 'or more' : `to ${text(high)}`} (95 %)`;
    };
    const [half, interval] = estimate(steps.median, steps.ci95, count);
    add('steps until half had solved it', [half, [interval, most(lie.steps_to_solve, count)].filter(x => x !== null).join('; ') || null]);
    if (number(summary.worst) !== null) add('return of the worst agent', [figure(summary.worst), most(lie.final_return, figure)]);
  } else {
    const agent = data.agents[0] || {};
    if (number(agent.initial_return) !== null) add('return before training', [figure(agent.initial_return), null]);
    if (number(agent.final_return) !== null) add('return after training', [figure(agent.final_return), null]);
    if (number(agent.updates) !== null) add('updates', [count(agent.updates), null]);
  }
  const spent = number(result.train_seconds), all = number(result.env_steps), rate = number(result.env_steps_per_second);
  if (all !== null) add(several ? 'steps of all agents' : 'environment steps', [count(all), null]);
  if (spent !== null) add('training', [seconds(spent), rate === null ? null : `${short(Number(rate.toPrecision(3)))} steps a second, with checks`]);
  return list.map(([name, value, more]) =>
    make('div', {}, make('dt', {}, name), make('dd', {}, value), more ? make('dd', {class: 'more'}, more) : null));
}

// A table of an object's keys; objects in it with dotted keys.
function rowsOf(object, before = '') {
  return Object.entries(object).flatMap(([key, value]) =>
    isObject(value) ? rowsOf(value, `${before}${key}.`)
      : [[before + key, Array.isArray(value) ? JSON.stringify(value) : value === null ? '\u2013' : String(value)]]);
}
const pairs = (title, rows) => make('div', {}, make('h3', {}, title), make('table', {class: 'pairs'}, make('tbody', {},
  ...rows.map(([key, value]) => make('tr', {}, make('th', {scope: 'row'}, key), make('td', {}, value))))));

function showReceipts() {
  const {summary: _, ...result} = data.result;
  const ours = rowsOf(result);
  if (data.policy) ours.push([several ? `policy shown, of seed ${data.policy.seed}` : 'policy', data.policy.network], ['parameters', count(data.policy.count)],
    ['SHA-256 of the parameters', data.policy.sha256]);
  const parts = [pairs('result.json', ours)];
  if (data.receipt) parts.push(pairs('receipt.json', rowsOf(data.receipt)));
  if (Object.keys(summary).length > 0) parts[0].append(later('summary', () => pairs('', rowsOf(summary))));
  by('receipts').prepend(...parts);
  by('config').textContent = data.config;
}

function survivalChart() {
  const points = data.survival.filter(p => isObject(p) && number(p.env_steps) !== null && number(p.unsolved) !== null);
  if (points.length < 2) return null;
  const x = [0], middle = [0], low = [0], high = [0];
  for (const p of points) {
    const ends = Array.isArray(p.ci95) ? p.ci95.map(number) : [null, null];
    // a stair: the share of before reaches up to here
    x.push(p.env_steps, p.env_steps), middle.push(middle[middle.length - 1], 1 - p.unsolved);
    low.push(low[low.length - 1], ends[1] === null ? null : 1 - ends[1]);
    high.push(high[high.length - 1], ends[0] === null ? null : 1 - ends[0]);
  }
  return chart({name: 'share of agents that have solved it', middle, low, high}, {x, xName: 'environment steps', height: 190, range: [0, 1],
    explanation: 'Kaplan-Meier estimate with its 95 % interval'});
}

function agentsTable() {
  if (!several || data.agents.length === 0) return null;
  const title = data.agents.length < data.seeds ? `The ${data.agents.length} agents with the lowest returns` : 'Every agent, the lowest return first';
  const text = x => (x === null || x === undefined ? '\u2013' : typeof x === 'number' ? figure(x, 7) : String(x));
  const steps = x => (number(x) === null ? '\u2013' : count(x));
  return later(title, () => table(['seed', 'outcome', 'steps until solved', 'steps', 'return', 'SHA-256 of the parameters'],
    data.agents.map(a => [text(a.seed), text(a.outcome), steps(a.solved_env_steps), steps(a.env_steps), text(a.final_return),
      text(a.parameters_sha256).slice(0, 12)])));
}

function showCurves() {
  const {curves} = data, x = curves.env_steps, main = curves.metrics.find(m => isReturn(m.name)) || curves.metrics[0];
  const half = curves.running.findIndex(n => n < curves.agents / 2);
  const options = metric => ({x, xName: 'environment steps', explanation: Object.hasOwn(glossary, metric.name) ? glossary[metric.name] : '',
    mark: half > 0 ? {x: x[half], text: metric === main ? 'half have stopped' : ''} : undefined,
    threshold: isReturn(metric.name) ? environment.threshold : undefined,
    extra: i => (metric === main && curves.running[i] < curves.agents ? `, ${count(curves.running[i])} of ${count(curves.agents)} agents still train` : '')});
  if (curves.agents === 0) {
    by('curves-note').textContent = `${curves.file} has no rows: the training ended before an episode did.`;
    return;
  }
  const left = curves.left_out > 0 ? ` ${count(curves.left_out)} more columns are not drawn.` : '';
  by('curves-note').textContent = (curves.agents > 1
    ? `Over ${count(curves.agents)} agents, on one grid of steps. An agent that has stopped keeps its last value. `
    : main && main.low ? 'Each point is the mean of neighboring rows, the band their range. ' : '')
    + 'The actions of training episodes are drawn, so their returns are mostly lower than those of the greedy policy, by which a task counts as solved.' + left;
  if (curves.agents > 1) {
    const key = (style, text) => make('li', {}, make('i', {style}), text);
    by('main-chart').append(make('ul', {class: 'key'}, key('height:2px;background:var(--accent);vertical-align:.25em', 'median'),
      key('background:var(--band)', 'quartiles'), key('background:var(--wide-band)', '5 % to 95 %'),
      main && main.lines ? key('height:1px;background:var(--thin);vertical-align:.25em', 'one agent') : null));
  }
  if (main) by('main-chart').append(chart(main, {...options(main), height: 340}));
  const survival = survivalChart();
  if (survival) by('charts').append(survival);
  for (const metric of curves.metrics) if (metric !== main) by('charts').append(chart(metric, {...options(metric), height: 190}));
  by('agents').append(agentsTable() || '');
}

function showHeadline() {
  by('folder').textContent = data.folder;
  by('title').textContent = `${data.environment}, ${data.algorithm}`;
  by('outcome').textContent = outcome();
  by('figures').append(...figures());
  by('made').textContent = `Made by cupg report${typeof data.result.version === 'string' ? `, of a run of cupg ${data.result.version}` : ''}. `
    + 'Policy and physics run in this page, generated from the sources that trained it, to the same bits.';
}
