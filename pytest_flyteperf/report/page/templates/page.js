"use strict";
// One view at a time, a timeline drawn when it is first seen. A timeline's JSON:
// wall in µs; path and a lane's pieces as [word, end, word, end, ...]; words as [colour, text];
// lane as [id, kind, phase, attempts, depth, onPath, start, end, ...pieces]; handles as [start, end, ...].
(() => {
  const root = document.documentElement;
  const views = [...document.querySelectorAll(".view")];
  const tip = document.getElementById("tip");
  const drawn = new Map();
  root.classList.add("scripted");

  function show(focus) {
    const wanted = decodeURIComponent(location.hash.slice(1));
    const view = views.find((one) => one.id === wanted) || views[0];
    for (const one of views) one.hidden = one !== view;
    tip.hidden = true;
    const section = view.querySelector(".timeline");
    if (section) {
      if (!drawn.has(section)) drawn.set(section, new Timeline(section));
      drawn.get(section).fit();
    }
    if (focus) {
      window.scrollTo(0, 0);
      view.querySelector("h1, h2").focus({ preventScroll: true });
    }
  }

  const dark = () => getComputedStyle(root).colorScheme === "dark";
  const theme = document.getElementById("theme");
  const repaint = () => { theme.textContent = dark() ? "Light" : "Dark"; for (const one of drawn.values()) one.recolour(); };
  theme.hidden = false;
  theme.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; repaint(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);

  for (const button of document.querySelectorAll(".copy")) {
    if (!navigator.clipboard) break;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.previousElementSibling.textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }

  function time(us) {
    if (us >= 99.95e6) return `${(us / 60e6).toFixed(1)} min`;
    const [size, unit] = us >= 1e6 ? [1e6, "s"] : us >= 1e3 ? [1e3, "ms"] : [1, "µs"];
    const value = us / size;
    return `${value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)} ${unit}`;
  }

  const ROW = 20, HEAD = 58, BAR = 12, LEAST_SPAN = 200;

  class Timeline {
    constructor(section) {
      const data = JSON.parse(section.querySelector("script").textContent);
      this.data = data;
      this.box = section.querySelector(".lanes");
      this.canvas = section.querySelector("canvas");
      this.room = section.querySelector(".room");
      this.said = section.querySelector(".said");
      this.lanes = data.lanes.map((l) => ({ id: l[0], kind: l[1], phase: l[2], attempts: l[3], depth: l[4], onPath: l[5], start: l[6], end: l[7], pieces: l.slice(8) }));
      this.shown = this.lanes;
      this.from = 0; this.to = data.wall; this.chosen = -1; this.queued = false;
      section.querySelector(".tools").hidden = false;
      const find = section.querySelector(".find"), critical = section.querySelector(".critical");
      const filter = () => {
        const word = find.value.trim().toLowerCase();
        this.shown = this.lanes.filter((l) => (!critical.checked || l.onPath) && (!word || l.id.toLowerCase().includes(word) || l.kind.includes(word)));
        this.chosen = -1; this.said.textContent = word || critical.checked ? `${this.shown.length} of ${this.lanes.length} nodes` : "";
        this.fit();
      };
      find.addEventListener("input", filter); critical.addEventListener("change", filter);
      for (const button of section.querySelectorAll("[data-zoom]")) {
        button.addEventListener("click", () => ({ in: () => this.zoom(0.5), out: () => this.zoom(2), all: () => this.window(0, data.wall) })[button.dataset.zoom]());
      }
      this.box.addEventListener("scroll", () => this.draw(), { passive: true });
      this.canvas.addEventListener("wheel", (e) => this.wheel(e), { passive: false });
      this.canvas.addEventListener("pointermove", (e) => this.hover(e));
      this.canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
      this.canvas.addEventListener("pointerdown", (e) => this.drag(e));
      this.canvas.addEventListener("dblclick", (e) => this.frame(this.at(e).lane));
      this.box.addEventListener("keydown", (e) => this.key(e));
      new ResizeObserver(() => this.fit()).observe(this.box);
      this.recolour();
    }

    recolour() {
      const style = getComputedStyle(root);
      const read = (name) => style.getPropertyValue(`--${name}`).trim();
      this.colours = this.data.colours.map((name) => (name === "subnodes" ? null : read(name)));
      this.ink = read("ink"); this.soft = read("soft"); this.line = read("line"); this.card = read("card"); this.wash = read("wash"); this.link = read("link");
      this.font = getComputedStyle(document.body).fontFamily;
      this.draw();
    }

    fit() {
      const wide = this.box.clientWidth;
      if (!wide) return;
      const whole = HEAD + this.shown.length * ROW + 8;
      const high = Math.min(460, whole);
      this.box.style.height = `${high + 2}px`;
      this.room.style.height = `${whole}px`;
      const scale = devicePixelRatio || 1;
      this.wide = wide; this.high = high; this.left = Math.min(220, Math.max(96, wide * 0.22)); this.scale = scale;
      this.canvas.width = Math.round(wide * scale); this.canvas.height = Math.round(high * scale); this.canvas.style.height = `${high}px`;
      this.draw();
    }

    window(from, to) {
      const span = Math.min(this.data.wall, Math.max(LEAST_SPAN, to - from));
      this.from = Math.min(Math.max(0, from), this.data.wall - span); this.to = this.from + span;
      this.draw();
    }

    frame(lane) {
      if (!lane) { this.window(0, this.data.wall); return; }
      const rest = Math.max(LEAST_SPAN / 2, (lane.end - lane.start) * 0.1);
      this.window(lane.start - rest, lane.end + rest);
    }

    zoom(by, at = (this.from + this.to) / 2) { this.window(at - (at - this.from) * by, at + (this.to - at) * by); }
    x(us) { return this.left + ((us - this.from) * (this.wide - this.left - 10)) / (this.to - this.from); }
    us(x) { return this.from + ((x - this.left) * (this.to - this.from)) / (this.wide - this.left - 10); }

    draw() {
      if (this.queued || !this.wide) return;
      this.queued = true;
      requestAnimationFrame(() => { this.queued = false; this.paint(); });
    }

    paint() {
      const c = this.canvas.getContext("2d"), top = this.box.scrollTop;
      c.setTransform(this.scale, 0, 0, this.scale, 0, 0);
      c.clearRect(0, 0, this.wide, this.high);
      c.textBaseline = "middle"; c.font = `12px ${this.font}`;
      this.grid((x) => { c.fillStyle = this.line; c.fillRect(x, HEAD - 4, 1, this.high); });
      const first = Math.max(0, Math.floor(top / ROW)), last = Math.min(this.shown.length, Math.ceil((top + this.high - HEAD) / ROW) + 1);
      for (let i = first; i < last; i++) this.lane(c, this.shown[i], HEAD + i * ROW - top, i === this.chosen);
      c.fillStyle = this.card; c.fillRect(0, 0, this.wide, HEAD - 4);
      c.font = `11px ${this.font}`; c.fillStyle = this.soft;
      this.grid((x, at) => {
        const label = at ? time(at) : "0", w = c.measureText(label).width;
        c.fillText(label, Math.max(this.left, Math.min(x - w / 2, this.wide - w - 4)), 10);
      });
      c.font = `12px ${this.font}`; c.fillText("critical path", 10, 30);
      this.pieces(c, this.data.path, 0, 24, BAR);
      c.fillStyle = this.soft; c.fillText("handles", 10, 46);
      c.fillStyle = this.colours[0];
      const h = this.data.handles;
      for (let i = 0; i < h.length; i += 2) this.block(c, h[i], h[i + 1], 43, 5);
      c.fillStyle = this.line; c.fillRect(0, HEAD - 4, this.wide, 1);
    }

    grid(mark) {
      const step = this.step();
      for (let at = Math.ceil(this.from / step) * step; at <= this.to; at += step) mark(this.x(at), at);
    }

    step() {
      const rough = (this.to - this.from) / Math.max(2, (this.wide - this.left) / 95), ten = 10 ** Math.floor(Math.log10(rough));
      return [1, 2, 5, 10].map((n) => n * ten).find((n) => n >= rough);
    }

    block(c, start, end, y, high) {
      const a = Math.max(this.left, this.x(start)), b = Math.min(this.wide - 10, this.x(end));
      if (b >= this.left && a <= this.wide - 10) c.fillRect(a, y, Math.max(0.75, b - a), high);
    }

    // Pieces thinner than half a pixel are drawn as one with the next: a path may have 60,000.
    pieces(c, flat, start, y, high) {
      let at = start;
      for (let i = 0; i < flat.length; i += 2) {
        const colour = this.colours[this.data.words[flat[i]][0]], end = flat[i + 1];
        if (i + 2 < flat.length && this.x(end) - this.x(at) < 0.5) continue;
        if (end >= this.from && at <= this.to) {
          c.fillStyle = colour || this.line;
          if (colour) this.block(c, at, end, y, high); else this.block(c, at, end, y + high / 2 - 1, 2);
        }
        at = end;
      }
    }

    lane(c, lane, y, chosen) {
      if (chosen) { c.fillStyle = this.wash; c.fillRect(0, y, this.wide, ROW); }
      const indent = 10 + Math.min(lane.depth, 6) * 10, room = this.left - indent - 10;
      if (lane.onPath) { c.fillStyle = this.link; c.fillRect(3, y + 4, 3, BAR); }
      c.fillStyle = lane.phase === "failed" ? this.colours[7] : lane.onPath ? this.ink : this.soft;
      c.save(); c.beginPath(); c.rect(indent, y, room, ROW); c.clip();
      c.fillText(lane.id, indent, y + ROW / 2);
      const w = c.measureText(`${lane.id}  `).width;
      c.fillStyle = this.soft; c.globalAlpha = 0.75; c.fillText(lane.kind, indent + w, y + ROW / 2); c.restore();
      c.globalAlpha = lane.onPath ? 1 : 0.72;
      this.pieces(c, lane.pieces, lane.start, y + 4, BAR);
      if (lane.onPath) { c.fillStyle = this.link; this.block(c, lane.start, lane.end, y + 4 + BAR + 1, 1.5); }
      c.globalAlpha = 1;
    }

    at(event) {
      const box = this.canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
      const row = y < HEAD ? -1 : Math.floor((y - HEAD + this.box.scrollTop) / ROW);
      return { x, y, us: this.us(x), row, lane: this.shown[row] };
    }

    tell(lane, us) {
      const found = lane && us >= lane.start && us <= lane.end ? this.piece(lane.pieces, lane.start, us) : null;
      const head = `${lane.id} (${lane.kind}), ${time(lane.end - lane.start)}${lane.onPath ? ", on the critical path" : ""}${lane.attempts > 1 ? `, ${lane.attempts} attempts` : ""}${lane.phase === "succeeded" ? "" : `, ${lane.phase}`}`;
      return found ? `${head}\n${found}` : head;
    }

    piece(flat, start, us) {
      let at = start;
      for (let i = 0; i < flat.length; i += 2) {
        if (us < flat[i + 1]) return `${this.data.words[flat[i]][1]}: ${time(flat[i + 1] - at)} from ${time(at)}`;
        at = flat[i + 1];
      }
      return null;
    }

    hover(event) {
      const { x, y, us, lane } = this.at(event);
      let text = null;
      if (lane) text = this.tell(lane, us);
      else if (y >= 20 && y < 40 && x >= this.left) text = this.piece(this.data.path, 0, us);
      tip.hidden = !text;
      if (!text) return;
      tip.textContent = text;
      const wide = tip.offsetWidth;
      tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - wide - 8))}px`;
      tip.style.top = `${Math.min(event.clientY + 16, innerHeight - tip.offsetHeight - 8)}px`;
    }

    wheel(event) {
      if (event.ctrlKey || event.metaKey) { event.preventDefault(); this.zoom(Math.exp(event.deltaY * 0.0025), this.us(this.at(event).x)); }
      else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) { event.preventDefault(); const by = (event.deltaX * (this.to - this.from)) / this.wide; this.window(this.from + by, this.to + by); }
    }

    drag(event) {
      const begun = this.at(event), from = this.from;
      this.choose(begun.row);
      if (event.pointerType === "touch" || begun.x < this.left) return;
      const perPixel = (this.to - this.from) / (this.wide - this.left - 10), span = this.to - this.from;
      const move = (e) => { const by = (event.clientX - e.clientX) * perPixel; this.window(from + by, from + by + span); };
      const stop = () => { removeEventListener("pointermove", move); removeEventListener("pointerup", stop); };
      addEventListener("pointermove", move); addEventListener("pointerup", stop);
    }

    choose(row) {
      if (!this.shown[row]) return;
      this.chosen = row;
      this.said.textContent = this.tell(this.shown[row], -1);
      const y = row * ROW, top = this.box.scrollTop;
      if (y < top) this.box.scrollTop = y; else if (y + ROW + HEAD > top + this.high) this.box.scrollTop = y + ROW + HEAD - this.high;
      this.draw();
    }

    key(event) {
      const span = this.to - this.from, page = Math.floor((this.high - HEAD) / ROW);
      const act = {
        ArrowDown: () => this.choose(Math.min(this.shown.length - 1, this.chosen + 1)), ArrowUp: () => this.choose(Math.max(0, this.chosen - 1)),
        PageDown: () => this.choose(Math.min(this.shown.length - 1, this.chosen + page)), PageUp: () => this.choose(Math.max(0, this.chosen - page)),
        Home: () => this.choose(0), End: () => this.choose(this.shown.length - 1),
        ArrowLeft: () => this.window(this.from - span / 8, this.to - span / 8), ArrowRight: () => this.window(this.from + span / 8, this.to + span / 8),
        Enter: () => this.frame(this.shown[this.chosen]), "+": () => this.zoom(0.5), "=": () => this.zoom(0.5), "-": () => this.zoom(2), 0: () => this.window(0, this.data.wall),
      }[event.key];
      if (act && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); act(); }
    }
  }

  addEventListener("hashchange", () => show(true));
  show(false);
  repaint();
})();
