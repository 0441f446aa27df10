// The little that the pages do by themselves: the sign-in box, the demo form, the switch between prices.

const mailEntry = "fernway.mail";

// nudge.js comes when it comes; calls made before are kept in a list that it reads. (A function called nudge would itself be
// window.nudge.)
function tell(...call) {
  (window.nudge = window.nudge || []).push(call);
}

function showWho() {
  const mail = localStorage.getItem(mailEntry);
  document.querySelector("[data-mail]").textContent = mail || "";
  document.querySelector("[data-in]").hidden = Boolean(mail);
  document.querySelector("[data-out]").hidden = !mail;
}

function signIn(mail, traits) {
  localStorage.setItem(mailEntry, mail);
  tell("identify", null, { email: mail, ...traits });
  showWho();
}

const box = document.querySelector("dialog");

document.querySelector("[data-in]").addEventListener("click", () => box.showModal());
document.querySelector("[data-out]").addEventListener("click", () => {
  localStorage.removeItem(mailEntry);
  tell("reset");
  showWho();
});
box.querySelector(".close").addEventListener("click", () => box.close());
box.querySelector("form").addEventListener("submit", (e) => {
  e.preventDefault();
  signIn(new FormData(e.target).get("mail").trim(), {});
  box.close();
});

document.querySelector("form[name=demo]")?.addEventListener("submit", (e) => {
  e.preventDefault();
  const answers = Object.fromEntries(new FormData(e.target));
  signIn(answers.mail.trim(), { name: answers.name, vans: answers.vans });
  e.target.hidden = true;
  document.querySelector(".thanks").hidden = false;
});

for (const button of document.querySelectorAll(".switch button")) {
  button.addEventListener("click", () => {
    for (const other of document.querySelectorAll(".switch button")) other.setAttribute("aria-pressed", other === button);
    for (const price of document.querySelectorAll("[data-monthly]")) price.textContent = price.dataset[button.value];
  });
}

showWho();
