"""What the demo's shop knows: help pages to retrieve from, and orders to look up."""

from __future__ import annotations

PASSAGES: tuple[str, ...] = (
    "Refunds are paid to the card you used, three to five working days after the parcel is back.",
    "A parcel can be returned within thirty days; print the label from your account.",
    "Delivery takes two days inside the country and five to nine days abroad.",
    "Express delivery is possible for orders placed before noon.",
    "To change the address of an order, write to us before the parcel leaves the warehouse.",
    "Gift cards are valid for three years and can be used in several steps.",
    "The warranty on lamps is two years; keep the bulb's packaging.",
    "Batteries must be returned apart from the device, taped at both ends.",
    "You can pay by card, by bank transfer, or with a gift card.",
    "An invoice with your company's tax number is in the account under documents.",
    "If a parcel arrives damaged, send a photo within two days and keep the packaging.",
    "Large furniture is delivered by two people who call you the day before.",
    "A desk lamp with a warm bulb gives 400 lumens; the cold one gives 470.",
    "Chairs are tested for 110 kilograms; the manual tells how to adjust the back.",
    "Orders of several parcels are tracked apart, each with its own number.",
    "Our shop in the old harbour is open from ten to seven, closed on Mondays.",
)

QUESTIONS: tuple[str, ...] = (
    "When do I get my refund for order {order}?",
    "Where is my order {order}?",
    "Can I change the address of order {order}?",
    "How long does delivery abroad take?",
    "My parcel {order} arrived damaged, what now?",
    "How bright is the desk lamp with a warm bulb?",
    "Which weight can the chair hold?",
    "I need an invoice with our tax number for order {order}.",
    "Do gift cards expire?",
    "How do I return batteries? Größe AA, bitte.",
)

ORDER_STATES: tuple[str, ...] = ("packed", "on its way", "delivered", "returned", "refunded")
