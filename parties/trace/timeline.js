// The timeline of a trace page: a lane a party, zoomed and panned by mouse, touch and keyboard. It draws what the page
// itself holds, and loads nothing.
"use strict";

(() => {
  const data = JSON.parse(document.getElementById("trace-data").textContent);
  const svg = document.getElementById("timeline");
  const readout = document.getElementById("readout");
  const seen = document.getElementById("seen");
  const SVG = "http://www.w3.org/2000/svg";
  const KINDS = ["computing", "dealing", "sending", "waiting"]; // from the bottom of a lane to its top
  const AXIS = 34, NAME = 15, FEWEST = 20; // pixels; microseconds
  const LANE = data.lanes.length > 12 ? 28 : 43, BAR = LANE - NAME - 4;
  const [N, LABEL, PLACE, BEGAN, ASKED, HANDED, READY, ENDED, BEFORE, BESIDE, SENT, CAME, DRAWS] = [...Array(13).keys()];
  const NARROW = 0.0001;
  let from = data.from, to = data.to, width = 600, lane = 0, chosen = -1;

  const element = (name, attributes, parent) => {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (parent) parent.appendChild(made);
    return made;
  };
  const word = (text, attributes, parent) => {
    element("text", attributes, parent).textContent = text;
  };
  const x = (time) => ((time - from) / (to - from)) * width;
  const timeAt = (place) => from + (place / width) * (to - from);
  const span = (us) => {
    const size = Math.abs(us);
    if (size >= 1e6) return `${(us / 1e6).toPrecision(4)} s`;
    if (size >= 1e3) return `${(us / 1e3).toPrecision(4)} ms`;
    return `${Math.round(us)} µs`;
  };
  const count = (number) => number.toLocaleString("en");

  // The pieces of a lane between two times: [kind, from, to].
  function* pieces(one, first, last) {
    const rounds = one.rounds;
    let low = 0, high = rounds.length;
    while (low < high) { // the first round that ends after `first`
      const middle = (low + high) >> 1;
      if (rounds[middle][ENDED] < first) low = middle + 1; else high = middle;
    }
    for (let k = low; k < rounds.length && rounds[k][BEGAN] <= last; k++) {
      const r = rounds[k];
      yield [0, r[BEGAN], r[ASKED]];
      yield [2, r[ASKED], r[HANDED]];
      yield [0, r[HANDED], r[READY]];
      yield [3, r[READY], r[ENDED]];
    }
    for (const p of one.pushes) {
      if (p[5] < first || p[3] > last) continue;
      if (p[0] === "deal") yield [1, p[3], p[4]];
      yield [2, p[4], p[5]];
    }
    for (const p of one.pulls) {
      if (p[4] < first || p[3] > last) continue;
      yield [p[0] === "deal" ? 1 : 3, p[3], p[4]];
    }
  }

  // A lane's bar as one path a kind: whole pieces where they are wide, and the shares of each pixel where they are not.
  function bar(one, y, group) {
    const bin = Math.max(1, Math.ceil((data.lanes.length * width) / 8000));
    const bins = Math.ceil(width / bin), filled = KINDS.map(() => new Float64Array(bins)), paths = ["", "", "", ""];
    const rect = (kind, left, top, wide, high) => {
      paths[kind] += `M${left.toFixed(2)} ${top.toFixed(2)}h${wide.toFixed(2)}v${high.toFixed(2)}h${(-wide).toFixed(2)}z`;
    };
    const late = [];
    for (const [kind, began, ended] of pieces(one, from, to)) {
      const left = Math.max(0, x(began)), right = Math.min(width, x(ended));
      if (right <= left) continue;
      if (right - left >= 2 * bin) {
        if (kind === 1) late.push([left, right]);
        else rect(kind, left, y, right - left, BAR);
        continue;
      }
      for (let k = Math.floor(left / bin); k * bin < right && k < bins; k++) {
        filled[kind][k] += (Math.min(right, (k + 1) * bin) - Math.max(left, k * bin)) / bin;
      }
    }
    for (let k = 0; k < bins; k++) {
      let bottom = y + BAR;
      for (let kind = 0; kind < KINDS.length; kind++) {
        const high = Math.min(1, filled[kind][k]) * BAR;
        if (high < NARROW) continue;
        bottom = Math.max(y, bottom - high);
        rect(kind, k * bin, bottom, bin, Math.min(high, y + BAR - bottom));
      }
    }
    KINDS.forEach((name, kind) => {
      if (paths[kind]) element("path", { d: paths[kind], class: `k-${name}` }, group);
    });
    let over = ""; // the wait for a window is within what counts as computing
    for (const [left, right] of late) over += `M${left} ${y}h${right - left}v${BAR}h${left - right}z`;
    if (over) element("path", { d: over, class: "k-dealing" }, group);
  }

  function axis(group) {
    const step = 10 ** Math.floor(Math.log10((to - from) / Math.max(2, width / 90)));
    const wide = [1, 2, 5, 10].map((k) => k * step).find((size) => (size / (to - from)) * width >= 80) || step * 10;
    for (let time = Math.ceil((from - data.zero) / wide) * wide; time <= to - data.zero; time += wide) {
      const at = x(time + data.zero);
      element("line", { x1: at, x2: at, y1: 14, y2: AXIS + data.lanes.length * LANE, class: "tick" }, group);
      if (at + 6 * span(time).length < width) word(span(time), { x: at + 3, y: 11, class: "small" }, group);
    }
    const stages = data.lanes[Math.min(lane, data.lanes.length - 1)].stages;
    let free = -1;
    stages.forEach(([time, name]) => {
      const at = x(time);
      if (at < -1 || at > width) return;
      element("line", { x1: at, x2: at, y1: 16, y2: AXIS + data.lanes.length * LANE, class: "stage" }, group);
      if (at > free) {
        word(name, { x: at + 3, y: 26, class: "small soft" }, group);
        free = at + 6 * name.length + 8;
      }
    });
  }

  // The messages, where few are in sight: from where they were handed over to where they were taken in.
  function messages(group) {
    let shown = 0;
    const lines = [];
    data.lanes.forEach((one, to_) => {
      const taken = [];
      for (const r of one.rounds) {
        if (r[ENDED] < from || r[BEGAN] > to) continue;
        for (const [peer, , at] of r[CAME]) taken.push([peer, at]);
      }
      for (const p of one.pulls) if (p[4] >= from && p[3] <= to && p[2]) taken.push([p[1], p[4]]);
      shown += taken.length;
      if (shown > 240) return;
      for (const [peer, at] of taken) {
        if (peer < 0) continue;
        const sent = lastSent(data.lanes[peer], to_, at);
        if (sent !== null) lines.push([peer, sent, to_, at]);
      }
    });
    if (shown > 240) return;
    const name = lines.length > 60 ? "message many" : "message";
    for (const [a, sent, b, at] of lines) {
      const up = b < a;
      const y1 = AXIS + a * LANE + NAME + (up ? 0 : BAR), y2 = AXIS + b * LANE + NAME + (up ? BAR : 0);
      element("line", { x1: x(sent), y1, x2: x(at), y2, class: name }, group);
      element("circle", { cx: x(at), cy: y2, r: 2, class: "arrived" }, group);
    }
  }

  function lastSent(one, to_, before) {
    let found = null;
    for (const r of one.rounds) {
      if (r[ASKED] > before) break;
      if (r[SENT].some(([peer]) => peer === to_)) found = Math.min(r[HANDED], before);
    }
    for (const p of one.pushes) if (p[1] === to_ && p[4] <= before) found = Math.max(found ?? 0, Math.min(p[5], before));
    return found;
  }

  function draw() {
    width = Math.max(280, svg.parentElement.clientWidth);
    const height = AXIS + data.lanes.length * LANE + 4;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("height", height);
    svg.replaceChildren();
    const group = element("g", {}, svg);
    axis(group);
    data.lanes.forEach((one, k) => {
      const y = AXIS + k * LANE;
      if (k === lane) element("rect", { x: 0, y, width, height: LANE - 2, class: "row" }, group);
      bar(one, y + NAME, group);
      if (one.failed !== null) {
        const at = x(one.failed);
        element("line", { x1: at, x2: at, y1: y, y2: y + LANE - 2, class: "failed" }, group);
      }
    });
    messages(group);
    data.lanes.forEach((one, k) => { // above the messages' lines
      word(one.name, { x: 2, y: AXIS + k * LANE + 12, class: k === lane ? "lane chosen" : "lane" }, group);
    });
    const r = round();
    if (r) {
      const left = x(r[BEGAN]), right = x(r[ENDED]), y = AXIS + lane * LANE + NAME - 1;
      element("rect", { x: left, y, width: Math.max(2, right - left), height: BAR + 2, class: "picked" }, group);
    }
    readout.textContent = `${span(from - data.zero)} to ${span(to - data.zero)}, ${span(to - from)} in sight`;
  }

  const round = () => data.lanes[lane].rounds[chosen];

  function view(first, last) {
    const whole = data.to - data.from, wide = Math.min(whole, Math.max(FEWEST, last - first));
    from = Math.min(Math.max(data.from, first), data.to - wide);
    to = from + wide;
    draw();
  }
  const zoom = (factor, at = (from + to) / 2) => view(at - (at - from) * factor, at + (to - at) * factor);
  const pan = (share) => view(from + share * (to - from), to + share * (to - from));

  function line(parent, name, text) {
    const dt = document.createElement("dt"), dd = document.createElement("dd");
    dt.textContent = name;
    dd.textContent = text;
    parent.append(dt, dd);
  }

  function choose(row, number, show = true) {
    lane = Math.min(Math.max(0, row), data.lanes.length - 1);
    const rounds = data.lanes[lane].rounds;
    chosen = rounds.length ? Math.min(Math.max(0, number), rounds.length - 1) : -1;
    const r = round();
    seen.replaceChildren();
    if (r) {
      const title = document.createElement("h3");
      title.textContent = `${data.lanes[lane].name}: ${r[N] < 0 ? "" : `round ${r[N] + 1} `}“${data.labels[r[LABEL]]}”`;
      const list = document.createElement("dl");
      if (r[PLACE] >= 0) line(list, "awaited at", data.places[r[PLACE]]);
      line(list, "began", span(r[BEGAN] - data.zero));
      const computing = r[ASKED] - r[BEGAN] + r[READY] - r[HANDED] - r[BEFORE] - r[BESIDE];
      line(list, "computing", span(computing));
      if (r[BEFORE] + r[BESIDE]) line(list, "dealing (waiting for the helper's window)", span(r[BEFORE] + r[BESIDE]));
      line(list, "sending", span(r[HANDED] - r[ASKED]));
      line(list, "waiting", span(r[ENDED] - r[READY]));
      const name = (peer) => (peer < 0 ? "?" : data.lanes[peer].name);
      for (const [peer, size] of r[SENT]) line(list, `to ${name(peer)}`, `${count(size)} bytes`);
      for (const [peer, size, at] of r[CAME]) {
        line(list, `from ${name(peer)}`, `${count(size)} bytes, ${span(at - r[READY])} after it waited`);
      }
      for (const [kind, number_] of Object.entries(r[DRAWS])) line(list, `drew ${kind}`, String(number_));
      seen.append(title, list);
      if (show && (r[ENDED] < from || r[BEGAN] > to)) {
        const half = (to - from) / 2, middle = (r[BEGAN] + r[ENDED]) / 2;
        from = middle - half;
        to = middle + half;
      }
    }
    for (const part of document.querySelectorAll("[data-round]")) {
      part.hidden = Boolean(r) && r[N] >= 0 && part.dataset.round !== String(r[N]);
    }
    view(from, to);
  }

  function at(event) {
    const box = svg.getBoundingClientRect();
    return [timeAt(((event.clientX - box.left) / box.width) * width),
      Math.floor(((event.clientY - box.top) * (svg.viewBox.baseVal.height / box.height) - AXIS) / LANE)];
  }

  function nearest(row, time) {
    const rounds = data.lanes[row].rounds;
    let found = rounds.findIndex((r) => r[ENDED] >= time);
    return found < 0 ? rounds.length - 1 : found;
  }

  const fingers = new Map();
  let moved = 0;
  svg.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    moved = 0;
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const scale = (to - from) / svg.getBoundingClientRect().width, dx = event.clientX - before[0];
    if (fingers.size === 2) {
      const [other] = [...fingers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      const was = Math.abs(before[0] - other[0]), now = Math.abs(event.clientX - other[0]);
      moved += 9;
      if (was > 4 && now > 4) zoom(was / now, at({ clientX: (event.clientX + other[0]) / 2, clientY: 0 })[0]);
    } else {
      moved += Math.abs(dx);
      if (moved > 4) view(from - dx * scale, to - dx * scale);
    }
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
  });
  svg.addEventListener("pointerup", (event) => {
    if (fingers.delete(event.pointerId) && moved <= 4) {
      const [time, row] = at(event);
      if (row >= 0 && row < data.lanes.length) choose(row, nearest(row, time), false);
    }
  });
  svg.addEventListener("pointercancel", (event) => fingers.delete(event.pointerId));
  svg.addEventListener("wheel", (event) => {
    if (event.ctrlKey || event.metaKey || document.activeElement === svg) {
      event.preventDefault();
      if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) pan(event.deltaX / width);
      else zoom(1.0015 ** event.deltaY, at(event)[0]);
    }
  }, { passive: false });

  const protocol = () => view(data.zero, data.end);
  const actions = {
    "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2),
    ArrowLeft: () => pan(-0.2), ArrowRight: () => pan(0.2),
    ArrowUp: () => choose(lane - 1, nearest(Math.max(0, lane - 1), (from + to) / 2), false),
    ArrowDown: () => choose(lane + 1, nearest(Math.min(data.lanes.length - 1, lane + 1), (from + to) / 2), false),
    ".": () => choose(lane, chosen + 1), ",": () => choose(lane, chosen - 1),
    Home: () => choose(lane, 0), End: () => choose(lane, data.lanes[lane].rounds.length - 1),
    0: protocol, a: () => view(data.from, data.to),
    Enter: () => { const r = round(); if (r) view(r[BEGAN] - (r[ENDED] - r[BEGAN]), r[ENDED] + (r[ENDED] - r[BEGAN])); },
  };
  svg.addEventListener("keydown", (event) => {
    const action = actions[event.key];
    if (action && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      action();
    }
  });
  for (const button of document.querySelectorAll("[data-action]")) {
    button.addEventListener("click", () => actions[button.dataset.action]());
  }
  for (const button of document.querySelectorAll("[data-go]")) {
    button.addEventListener("click", () => {
      const [row, number] = button.dataset.go.split(" ").map(Number);
      choose(row, data.lanes[row].rounds.findIndex((r) => r[N] === number));
      actions.Enter();
      svg.scrollIntoView({ block: "center" });
      svg.focus({ preventScroll: true });
    });
  }
  window.addEventListener("resize", draw);
  document.getElementById("controls").hidden = false;
  protocol();
})();
