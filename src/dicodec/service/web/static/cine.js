// Plays frames one after the other, each as soon as it is there and no sooner than its time.

export class Cine {
  // `show` shows a frame and returns a promise; `changed` is told whether frames are played.
  constructor(show, changed) {
    this.show = show;
    this.changed = changed;
    this.turn = 0;
    this.rate = 5;
    this.playing = false;
  }

  stop() {
    if (!this.playing) return;
    this.turn += 1;
    this.playing = false;
    this.changed(false);
  }

  async play(next) {
    this.turn += 1;
    const { turn } = this;
    this.playing = true;
    this.changed(true);
    while (turn === this.turn) {
      const start = performance.now();
      await this.show(next());
      const rest = 1000 / this.rate - (performance.now() - start);
      await new Promise((resolve) => setTimeout(resolve, Math.max(rest, 0)));
    }
  }
}
