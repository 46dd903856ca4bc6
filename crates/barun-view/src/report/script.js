// What a mark stands for, beside the pointer. Without this script the page lacks only that.
(() => {
  const tip = document.getElementById("tip");
  const show = (event) => {
    const mark = event.target.closest?.("[data-tip]");
    tip.hidden = !mark;
    if (!mark) return;
    tip.textContent = mark.dataset.tip;
    const room = 12, box = tip.getBoundingClientRect();
    const fits = event.clientX + room + box.width < innerWidth;
    const left = fits ? event.clientX + room : event.clientX - room - box.width;
    const top = Math.min(event.clientY + room, innerHeight - box.height - 4);
    tip.style.left = Math.max(4, left) + "px";
    tip.style.top = Math.max(4, top) + "px";
  };
  addEventListener("pointermove", show);
  addEventListener("pointerdown", show);
  addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
})();
