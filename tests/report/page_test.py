#!/usr/bin/env python3
"""The page of `cupg report` in a browser. Usage: page_test.py CUPG ORACLE [TEST...]; exit status 77 where there is no browser."""
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from browser import Browser, find  # noqa: E402

CUPG, ORACLE = (str(pathlib.Path(program).resolve()) for program in sys.argv[1:3])
FOLDER = tempfile.TemporaryDirectory()
RUNS = pathlib.Path(FOLDER.name)
# as many kinds of networks and environments as there are
TRAININGS = {
    "one": [],
    "ten": ["--seeds", "10"],
    "acrobot": ["Acrobot-v1", "--preset", "acrobot", "--steps", "1e5"],
    "mountain-car": ["MountainCar-v0", "--preset", "mountain-car", "--steps", "4e4"],
    "tiled": ["--preset", "cleanrl-ppo", "--steps", "2e4"],
    "linear": ["--hidden", "none", "--no-bias", "--steps", "2e4"],
    "deep": ["--hidden", "80,40,8", "--activation", "tanh", "--steps", "2e3"],
}


def cupg(*arguments):
    return subprocess.run([CUPG, *map(str, arguments)], capture_output=True, text=True, cwd=RUNS)


def run_folder(name):
    """A run of that name, trained when it is first wanted, and its report."""
    folder = RUNS / name
    if not folder.exists():
        made = cupg("train", *TRAININGS[name], "--quiet", "--run", folder)
        if made.returncode == 3:
            raise unittest.SkipTest(made.stderr)
        assert made.returncode == 0, made.stderr
    report(folder)
    return folder


def report(folder, *arguments):
    made = cupg("report", folder, *arguments)
    assert made.returncode == 0, made.stderr


def oracle(*arguments):
    return json.loads(subprocess.run([ORACLE, *map(str, arguments)], capture_output=True, text=True, check=True).stdout)


def floats(bits):
    return [struct.unpack("<f", struct.pack("<I", b))[0] for b in bits]


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = Browser(find()).__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.browser.__exit__()

    def open(self, folder, **size):
        self.browser.messages.clear(), self.browser.requests.clear()
        url = (pathlib.Path(folder) / "report.html").as_uri()
        self.browser.open(url, **size)
        return url

    def run_js(self, expression):
        return self.browser.run(expression)

    def expect_quiet(self, url):
        self.assertEqual(self.browser.messages, [], "the console is not silent")
        self.assertEqual([r for r in self.browser.requests if r != url and not r.startswith("data:")], [], "the page asked for something")

    # ---- the generated JavaScript against the C++ that it was made from: equal bits, no tolerance, because fma is exact ----

    def test_arithmetic_and_environments_have_the_bits_of_the_sources(self):
        want = oracle()
        self.browser.open("about:blank")
        self.run_js(want["arithmetic"] + "; globalThis.tools = {fma, floatBits, bitsFloat}")
        self.run_js(f"globalThis.want = {json.dumps(want)}; 0")
        wrong = self.run_js("""
            want.fma.filter(([a, b, c, r]) => {
              const got = floatBits(fma(bitsFloat(a), bitsFloat(b), bitsFloat(c)));
              return got !== r && !(Number.isNaN(bitsFloat(got)) && Number.isNaN(bitsFloat(r)));
            })""")
        self.assertEqual(wrong, [], "fma")
        self.assertGreater(self.run_js("""want.fma.filter(([a, b, c, r]) =>
            floatBits(fr(bitsFloat(a) * bitsFloat(b) + bitsFloat(c))) !== r && !Number.isNaN(bitsFloat(r))).length"""), 10, "no case is hard")
        for i, environment in enumerate(want["environments"]):
            result = self.run_js("(() => {" + environment["javascript"] + f"""
              const want = globalThis.want.environments[{i}], same = (got, bits) => got.length === bits.length && got.every((x, k) => floatBits(x) === bits[k]);
              let steps = 0, drawings = 0;
              const wrong = (episode, t, what) => ({{wrong: `${{what}} of episode ${{episode.number}}, step ${{t}}`}});
              for (const episode of want.episodes) {{
                let state = environment.reset(episode.number);
                if (!same(state, episode.start)) return wrong(episode, 0, 'start');
                for (const [t, step] of episode.steps.entries()) {{
                  if (step.nudge) {{
                    state = environment.nudge(state, step.nudge);
                    if (!same(state, step.nudged)) return wrong(episode, t, 'push');
                  }}
                  const result = environment.step(state, step.action);
                  state = result.state;
                  if (!same(state, step.state)) return wrong(episode, t, 'state');
                  if (result.reward !== step.reward || result.terminated !== step.terminated) return wrong(episode, t, 'reward or end');
                  if (!same(environment.observe(state), step.observation)) return wrong(episode, t, 'observation');
                  ++steps;
                  if (step.drawn) {{
                    const numbers = [];
                    const canvas = {{line: (...a) => numbers.push(...a.slice(0, 5)), circle: (...a) => numbers.push(...a.slice(0, 3)),
                      polygon: corners => numbers.push(...corners.flat())}};
                    environment.draw(state, canvas);
                    if (!same(numbers, step.drawn)) return wrong(episode, t, 'drawing');
                    ++drawings;
                  }}
                }}
              }}
              const bad = globalThis.want.tanh.filter(([x, y]) => floatBits(environment.activate(bitsFloat(x))) !== y);
              return bad.length > 0 ? {{wrong: `tanh ${{bad[0]}}`}} : {{steps, drawings}};
            }})()""")
            self.assertNotIn("wrong", result, environment["name"])
            self.assertGreaterEqual(result["steps"], 3000)
            self.assertGreaterEqual(result["drawings"], 15)

    def test_policies_have_the_bits_of_policy_evaluate_and_the_episodes_of_cupg_eval(self):
        for name in TRAININGS:
            with self.subTest(name):
                folder = run_folder(name)
                want = oracle(folder)
                self.open(folder)
                wrong = self.run_js(f"""{json.dumps(want["samples"])}.filter(s => {{
                  const bits = list => list.map(floatBits).join(), x = s.observation.map(bitsFloat), got = forward(x);
                  return bits(got.logits) !== s.logits.join() || floatBits(got.value) !== s.value || bits(probabilities(x)) !== s.p.join()
                    || environment.greedy(got.outputs) !== s.action || (s.outputs && bits(got.outputs) !== s.outputs.join());
                }}).length""")
                self.assertEqual(wrong, 0)
                for mode in ["greedy", "sampled"]:
                    if mode in want:
                        got = self.run_js(f"{list(range(len(want[mode])))}.map(i => episode(i, '{mode}').at(-1).total)")
                        self.assertEqual(got, want[mode], mode)

    # ---- the page -----------------------------------------------------------------------------------------------------

    def test_every_run_draws_silently_and_is_small(self):
        for name in TRAININGS:
            with self.subTest(name):
                folder = run_folder(name)
                url = self.open(folder)
                rows = (folder / "metrics.csv").read_text().split()
                self.assertEqual(self.run_js("document.querySelectorAll('#curves svg path.middle').length"),
                                 len(rows[0].split(",")) - 2 + (name == "ten") if len(rows) > 1 else 0)
                self.assertLess((folder / "report.html").stat().st_size, 1_000_000)
                self.expect_quiet(url)

    def test_a_thousand_agents_take_less_than_a_second_and_a_megabyte(self):
        folder = RUNS / "thousand"
        self.assertEqual(cupg("train", "--seeds", 1000, "--quiet", "--run", folder).returncode, 0)
        start = time.monotonic()
        report(folder)
        self.assertLess(time.monotonic() - start, 1 if "san" not in CUPG else 20)
        self.assertLess((folder / "report.html").stat().st_size, 1_000_000)
        url = self.open(folder)
        self.assertIn("1,000 agents solved CartPole-v1", self.run_js("by('outcome').textContent"))
        lie = json.loads((folder / "result.json").read_text())["summary"]["tolerance"]["steps_to_solve"]
        self.assertIn(f"90 % of agents: {lie[0]:,.0f} to {lie[1]:,.0f} (95 %)", self.run_js("by('figures').textContent"))
        self.expect_quiet(url)

    def test_says_what_the_result_says(self):
        folder = run_folder("ten")
        self.open(folder)
        summary = json.loads((folder / "result.json").read_text())["summary"]
        text = self.run_js("by('figures').textContent")
        self.assertIn(f"return, interquartile mean{summary['iqm']:.1f}95 % interval: {summary['ci95'][0]:.1f} to {summary['ci95'][1]:.1f}", text)
        self.assertIn(f"solved{100 * summary['solved_fraction']:.0f} %", text)
        self.assertEqual(self.run_js("by('config').textContent"), (folder / "config.toml").read_text())

    def test_the_replay_moves_and_a_push_changes_what_follows(self):
        folder = run_folder("one")
        url = self.open(folder)
        pixels = "by('replay-canvas').toDataURL()"
        still = self.run_js(pixels)
        self.assertEqual(self.run_js(pixels), still)
        self.run_js("by('replay-play').click(); new Promise(done => setTimeout(done, 600))")
        self.assertEqual(self.run_js("by('replay-play').textContent"), "Pause")
        self.assertGreater(self.run_js("replay.now"), 5)
        self.assertNotEqual(self.run_js(pixels), still)
        self.run_js("by('replay-play').click()")
        self.assertEqual(self.run_js("by('replay-play').textContent"), "Play")
        # a push: nothing before it changes, everything after it does
        self.run_js("globalThis.before = replay.steps; by('replay-time').value = 30; by('replay-time').dispatchEvent(new Event('input')); by('replay-right').click()")
        self.assertEqual(self.run_js("replay.now"), 30)
        self.assertTrue(self.run_js("before.slice(0, 30).every((s, t) => s === replay.steps[t])"))
        self.assertAlmostEqual(self.run_js("replay.steps[30].state[3] - before[30].state[3]"), 0.5, places=6)
        self.assertNotEqual(self.run_js("replay.steps[31].state.join()"), self.run_js("before[31].state.join()"))
        self.assertIn("pushed at step 30", self.run_js("by('replay-summary').textContent"))
        # the charts below follow
        self.run_js("by('replay-forward').click(); new Promise(done => setTimeout(done, 200))")
        self.assertEqual(self.run_js("[...document.querySelectorAll('#replay-charts output')].filter(o => !o.textContent.startsWith('step 31: ')).length"), 0)
        self.run_js("by('replay-undo').click()")
        self.assertTrue(self.run_js("replay.steps === before"))
        self.expect_quiet(url)

    def test_another_episode_is_another_and_foreign_numbers_are_taken_to_the_nearest(self):
        self.open(run_folder("acrobot"))
        enter = "by('replay-episode').value = {}; by('replay-episode').dispatchEvent(new Event('change')); replay.steps[0].state.join()"
        first = self.run_js("replay.steps[0].state.join()")
        self.assertNotEqual(self.run_js(enter.format(5)), first)
        self.assertEqual(self.run_js(enter.format("''")), first)
        self.assertEqual(self.run_js(enter.format(-3)), first)
        self.assertEqual(self.browser.messages, [])

    def test_the_plane_shows_the_networks_probabilities(self):
        self.open(run_folder("one"))
        # a point's color is that of the network's answer there; the picture's pixels are some 0.01 of the axes apart
        wrong = self.run_js("""(() => {
          const canvas = by('plane-canvas'), box = canvas.getBoundingClientRect(), context = canvas.getContext('2d'), colors = divergingColors();
          const bad = [];
          for (const [u, v] of [[0.2, 0.1], [0.8, 0.9], [0.3, 0.15], [0.7, 0.95]]) {
            const x = 62 + u * (canvas.clientWidth - 14 - 62), y = 14 + v * (canvas.clientHeight - 44 - 14);
            canvas.dispatchEvent(new PointerEvent('pointermove', {clientX: box.left + x, clientY: box.top + y}));
            const p = Number(by('plane-text').textContent.match(/push right ([0-9.e\\u2212-]+) %/)[1].replace('\\u2212', '-')) / 100;
            const want = diverging(colors, 2 * p - 1), got = [...context.getImageData(x, y, 1, 1).data];
            if (want.some((c, i) => !(Math.abs(c - got[i]) <= 12))) bad.push([u, v, p, want, got]);
          }
          return bad;
        })()""")
        self.assertEqual(wrong, [])
        before = self.run_js("by('plane-canvas').toDataURL()")
        self.run_js("const s = document.querySelector('#plane-sliders input'); s.value = s.max; s.dispatchEvent(new Event('input'))")
        self.assertNotEqual(self.run_js("by('plane-canvas').toDataURL()"), before)
        # the same observation on both axes: the other one gives way
        self.run_js("by('plane-x').value = by('plane-y').value; by('plane-x').dispatchEvent(new Event('change'))")
        self.assertNotEqual(self.run_js("by('plane-x').value"), self.run_js("by('plane-y').value"))

    def test_weights_are_the_files(self):
        folder = run_folder("acrobot")
        self.open(folder)
        bytes_of = (folder / "policy.safetensors").read_bytes()
        length = struct.unpack("<Q", bytes_of[:8])[0]
        header, body = json.loads(bytes_of[8:8 + length]), bytes_of[8 + length:]
        for tensor in self.run_js("policy.tensors"):
            begin, end = header[tensor["name"]]["data_offsets"]
            got = self.run_js(f"[...parameters.slice({tensor['offset']}, {tensor['offset'] + tensor['rows'] * tensor['columns']})]")
            self.assertEqual(got, [x[0] for x in struct.iter_unpack("<f", body[begin:end])], tensor["name"])
        self.assertEqual(self.run_js("document.querySelectorAll('#tensors canvas').length"), len(header) - 1)

    def test_both_themes(self):
        folder = run_folder("one")
        colors = {}
        for scheme in ["light", "dark"]:
            self.browser.colors(scheme)
            self.open(folder)
            self.assertEqual(self.run_js("document.documentElement.dataset.theme"), scheme)
            colors[scheme] = self.run_js("getComputedStyle(document.body).backgroundColor")
            # WCAG 2's contrast: 4.5 for text (AA)
            low = self.run_js("""(() => {
              const light = c => { const x = c / 255; return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4; };
              const luminance = name => { const [r, g, b] = rgb(name).map(light); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
              const ratio = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
              return ['ink', 'soft', 'accent', 'warm'].flatMap(ink => ['paper', 'panel'].map(paper => [ink, paper, ratio(ink, paper)])).filter(r => !(r[2] >= 4.5));
            })()""")
            self.assertEqual(low, [])
        self.assertNotEqual(colors["light"], colors["dark"])
        self.run_js("by('theme').click()")
        self.assertEqual(self.run_js("getComputedStyle(document.body).backgroundColor"), colors["light"])
        self.browser.colors("light")

    def test_every_control_has_a_label_and_every_picture_a_description(self):
        self.open(run_folder("ten"))
        self.assertEqual(self.run_js("""[...document.querySelectorAll('button, select, input')].filter(e =>
            !(e.textContent.trim() && e.tagName === 'BUTTON') && !e.getAttribute('aria-label') && !e.closest('label')).map(e => e.outerHTML)"""), [])
        self.assertEqual(self.run_js("""[...document.querySelectorAll('svg, canvas')].filter(e =>
            e.getAttribute('role') !== 'img' || !(e.getAttribute('aria-label') || e.getAttribute('aria-labelledby'))).length"""), 0)
        self.assertEqual(self.run_js("""[...document.querySelectorAll('[id]')].map(e => e.id).filter((id, i, all) => all.indexOf(id) !== i)"""), [])

    def test_charts_are_read_by_keys_and_have_their_numbers(self):
        folder = run_folder("one")
        self.open(folder)
        rows = [line.split(",") for line in (folder / "metrics.csv").read_text().split()[1:]]
        self.run_js("document.querySelector('#main-chart svg').focus()")
        for key, row in [("Home", rows[0]), ("ArrowRight", rows[1]), ("End", rows[-1]), ("ArrowLeft", rows[-2])]:
            self.browser.press(key)
            text = self.run_js("document.querySelector('#main-chart output').textContent")
            steps, value = text.replace(",", "").split(" steps: ")
            self.assertEqual(steps, row[1], key)
            self.assertAlmostEqual(float(value), float(row[3]), delta=0.0006 * abs(float(row[3])), msg=key)
        self.run_js("document.querySelector('#main-chart details').open = true; new Promise(done => setTimeout(done, 50))")
        self.assertEqual(self.run_js("document.querySelectorAll('#main-chart tbody tr').length"), len(rows))

    def test_narrow_screens_do_not_scroll_sideways(self):
        for name in ["ten", "acrobot"]:
            self.open(run_folder(name), width=320)
            self.assertLessEqual(self.run_js("document.documentElement.scrollWidth"), 320, name)

    def test_hostile_files_stay_text(self):
        source = run_folder("one")
        attack = "</script><script>globalThis.owned = 1</script><img src=x onerror='globalThis.owned = 1'>"
        folder = RUNS / "a<b>&\"'"
        folder.mkdir(exist_ok=True)
        (folder / "policy.safetensors").write_bytes((source / "policy.safetensors").read_bytes())
        (folder / "config.toml").write_text((source / "config.toml").read_text() + f"# {attack} <!-- {{{{SCRIPT}}}}\n")
        result = json.loads((source / "result.json").read_text())
        result.update(version=attack, device=attack + "\u2028\u202e", isa=[attack, {"__proto__": 1}], train_seconds="soon", env_steps=-1e300, __proto__=attack)
        result["agents"][0].update(outcome=attack, final_return=None, solved_env_steps={"a": 1})
        result["summary"] = attack
        (folder / "result.json").write_text(json.dumps(result))
        (folder / "receipt.json").write_text(json.dumps({attack: {attack: attack, "constructor": None}}))
        names = [attack.replace(",", ""), "constructor", "loss", "all_nan", "words"]
        (folder / "metrics.csv").write_text("seed,env_steps," + ",".join(names) + "\n1,10,1,nan,inf,,a\n1,20,-1e308,1,1e308,nan,b\n1,20,,-inf,1e-310,,c\n1,30,1e999,3,null,nan,d\n")
        report(folder)
        url = self.open(folder)
        self.assertIsNone(self.run_js("globalThis.owned ?? null"))
        self.assertEqual(self.run_js("document.querySelectorAll('img').length"), 0)
        self.assertEqual(self.run_js("document.scripts.length"), 2)
        self.assertEqual(self.run_js("[...document.querySelectorAll('#curves figcaption b')].map(b => b.textContent)"), names[:-1])
        self.assertIn(attack, self.run_js("by('receipts').textContent"))
        self.assertIn(attack, self.run_js("by('config').textContent"))
        self.assertNotIn("NaN", self.run_js("by('curves').innerHTML"))
        self.assertNotIn("Infinity", self.run_js("by('curves').innerHTML"))
        self.expect_quiet(url)

    def test_a_run_without_a_policy_still_has_its_curves(self):
        source = run_folder("one")
        folder = RUNS / "diverged"
        folder.mkdir(exist_ok=True)
        for name in ["config.toml", "metrics.csv", "result.json"]:
            (folder / name).write_bytes((source / name).read_bytes())
        report(folder)
        url = self.open(folder)
        self.assertTrue(self.run_js("by('replay').hidden && by('plane').hidden"))
        self.assertIn("no policy", self.run_js("by('weights-note').textContent"))
        self.expect_quiet(url)

    def test_a_large_policy_stays_out(self):
        folder = RUNS / "large"
        made = cupg("train", "--hidden", "400,400", "--steps", 1000, "--quiet", "--run", folder)
        if made.returncode == 3:
            self.skipTest(made.stderr)
        report(folder)
        url = self.open(folder)
        self.assertIn("too large", self.run_js("by('weights-note').textContent"))
        self.assertLess((folder / "report.html").stat().st_size, 1_000_000)
        self.expect_quiet(url)

    def test_the_largest_page_is_below_a_megabyte(self):
        folder = RUNS / "largest"
        made = cupg("train", "--hidden", "265,265", "--seeds", 12, "--steps", 1000, "--quiet", "--run", folder)
        if made.returncode == 3:
            self.skipTest(made.stderr)
        digits = iter(range(10 ** 9))
        (folder / "metrics.csv").write_text("seed,env_steps," + ",".join(f"metric_{i}" for i in range(70)) + "\n" + "".join(
            f"{seed},{row}," + ",".join(f"-0.{7919 * next(digits) % 999983:06}e-5" for _ in range(70)) + "\n" for seed in range(1, 13) for row in range(100)))
        report(folder)
        self.assertLess((folder / "report.html").stat().st_size, 1_000_000)
        url = self.open(folder)
        self.assertIn("6 more columns", self.run_js("by('curves-note').textContent"))
        self.assertTrue(self.run_js("policy !== null"))
        self.expect_quiet(url)

    def test_the_policy_of_another_agent(self):
        folder = run_folder("ten")
        report(folder, "--agent-seed", 7)
        self.open(folder)
        self.assertEqual(self.run_js("policy.seed"), 7)
        want = oracle(folder, 7)["samples"][0]
        self.assertEqual(self.run_js(f"forward({want['observation']}.map(bitsFloat)).logits.map(floatBits)"), want["logits"])


if __name__ == "__main__":
    if find() is None:
        print("skipped: no Chromium; apt-get install chromium, or CUPG_CHROMIUM=PATH")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
