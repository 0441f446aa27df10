// Clicks on what the site has marked: <a data-nudge-click="pricing-cta">. Nothing else is followed.

import { sendHere } from "./page";

export function listen(): void {
  document.addEventListener("click", (e) => {
    const marked = (e.target as Element).closest?.("[data-nudge-click]");
    if (marked) sendHere("click", { props: { target: marked.getAttribute("data-nudge-click") } });
  }, true);
}
