"""What the simulated shop sells: sixty things for the house, with French and English names.

Who buys them, and when, is left to `shopflow.demo.shop`.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Everything the shop says of itself stays in a domain that nobody can own.
SHOP_URL = "https://boutique.example"
CURRENCY = "EUR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One thing that can be bought; the price is in cents, tax included."""

    sku: str
    category: str
    cents: int
    name_fr: str
    name_en: str

    def name(self, locale: str) -> str:
        """The name in the buyer's language."""
        return self.name_fr if locale == "fr" else self.name_en

    def told(self, locale: str) -> dict[str, object]:
        """The product as the shop's events tell it."""
        return {
            "sku": self.sku,
            "name": self.name(locale),
            "category": self.category,
            "price": self.cents / 100,
            "currency": CURRENCY,
            "url": f"{SHOP_URL}/{locale}/p/{self.sku.lower()}",
            "image_url": f"{SHOP_URL}/img/{self.sku.lower()}.jpg",
        }


def _shelf(category: str, *goods: tuple[str, int, str, str]) -> tuple[Product, ...]:
    return tuple(
        Product(sku=sku, category=category, cents=cents, name_fr=name_fr, name_en=name_en)
        for sku, cents, name_fr, name_en in goods
    )


ASSORTMENT: tuple[Product, ...] = (
    *_shelf(
        "maison/luminaires",
        ("LUM-101", 8900, "Lampe de chevet en grès", "Stoneware bedside lamp"),
        ("LUM-102", 14900, "Lampadaire en frêne", "Ash floor lamp"),
        ("LUM-103", 5990, "Suspension en papier", "Paper pendant light"),
        ("LUM-104", 3490, "Guirlande d'intérieur", "Indoor string lights"),
        ("LUM-105", 7900, "Lampe de bureau pliante", "Folding desk lamp"),
        ("LUM-106", 2490, "Veilleuse lune", "Moon night light"),
        ("LUM-107", 11900, "Applique en laiton", "Brass wall light"),
        ("LUM-108", 1290, "Bougie à la cire de soja", "Soy wax candle"),
    ),
    *_shelf(
        "maison/textile",
        ("TEX-201", 6900, "Plaid en laine recyclée", "Recycled wool throw"),
        ("TEX-202", 2990, "Housse de coussin en lin", "Linen cushion cover"),
        ("TEX-203", 11900, "Parure de lit en percale", "Percale bed set"),
        ("TEX-204", 8900, "Rideau en lin lavé", "Washed linen curtain"),
        ("TEX-205", 1990, "Torchons, lot de trois", "Tea towels, set of three"),
        ("TEX-206", 4590, "Nappe rayée", "Striped tablecloth"),
        ("TEX-207", 18900, "Tapis berbère", "Berber rug"),
        ("TEX-208", 3990, "Serviettes de bain, lot de deux", "Bath towels, set of two"),
    ),
    *_shelf(
        "cuisine/table",
        ("TAB-301", 3990, "Assiettes en grès, lot de quatre", "Stoneware plates, set of four"),
        ("TAB-302", 2490, "Bols à soupe, lot de deux", "Soup bowls, set of two"),
        ("TAB-303", 1890, "Verres soufflés, lot de quatre", "Blown glasses, set of four"),
        ("TAB-304", 3290, "Carafe en verre", "Glass carafe"),
        ("TAB-305", 4990, "Couverts brossés, seize pièces", "Brushed cutlery, sixteen pieces"),
        ("TAB-306", 2790, "Plat à tarte", "Pie dish"),
        ("TAB-307", 1590, "Tasses à café, lot de deux", "Coffee cups, set of two"),
        ("TAB-308", 3590, "Saladier en bois d'olivier", "Olive wood salad bowl"),
    ),
    *_shelf(
        "cuisine/cuisson",
        ("CUI-401", 12900, "Cocotte en fonte", "Cast iron casserole"),
        ("CUI-402", 5490, "Poêle en acier", "Carbon steel pan"),
        ("CUI-403", 3990, "Théière en fonte", "Cast iron teapot"),
        ("CUI-404", 2990, "Cafetière à piston", "French press"),
        ("CUI-405", 1490, "Spatules en hêtre, lot de trois", "Beech spatulas, set of three"),
        ("CUI-406", 4290, "Planche à découper", "Chopping board"),
        ("CUI-407", 6490, "Couteau de chef", "Chef's knife"),
        ("CUI-408", 990, "Minuteur œuf", "Egg timer"),
    ),
    *_shelf(
        "jardin",
        ("JAR-501", 2290, "Arrosoir en zinc", "Zinc watering can"),
        ("JAR-502", 3490, "Cache-pot en terre cuite", "Terracotta planter"),
        ("JAR-503", 1290, "Graines de fleurs sauvages", "Wildflower seeds"),
        ("JAR-504", 2690, "Sécateur", "Secateurs"),
        ("JAR-505", 8990, "Chaise pliante", "Folding chair"),
        ("JAR-506", 4990, "Nichoir en cèdre", "Cedar nest box"),
        ("JAR-507", 1890, "Gants de jardinage", "Gardening gloves"),
        ("JAR-508", 5990, "Brasero de table", "Table fire bowl"),
    ),
    *_shelf(
        "enfants/jeux",
        ("ENF-601", 2490, "Cubes en bois", "Wooden blocks"),
        ("ENF-602", 3290, "Puzzle des animaux", "Animal puzzle"),
        ("ENF-603", 1990, "Peluche renard", "Fox soft toy"),
        ("ENF-604", 4490, "Train en bois", "Wooden train"),
        ("ENF-605", 1490, "Crayons de couleur", "Colouring pencils"),
        ("ENF-606", 5990, "Tipi de chambre", "Bedroom tepee"),
        ("ENF-607", 2790, "Mobile étoiles", "Star mobile"),
        ("ENF-608", 1690, "Livre à toucher", "Touch and feel book"),
    ),
    *_shelf(
        "bureau/papeterie",
        ("PAP-701", 1290, "Carnet pointillé", "Dotted notebook"),
        ("PAP-702", 3490, "Stylo plume", "Fountain pen"),
        ("PAP-703", 1890, "Agenda perpétuel", "Perpetual diary"),
        ("PAP-704", 990, "Cartes postales, lot de dix", "Postcards, set of ten"),
        ("PAP-705", 4590, "Organiseur en cuir", "Leather organiser"),
        ("PAP-706", 2190, "Pot à crayons en liège", "Cork pencil pot"),
        ("PAP-707", 790, "Ruban adhésif à motifs", "Patterned tape"),
        ("PAP-708", 2990, "Calendrier illustré", "Illustrated calendar"),
    ),
    *_shelf(
        "bain",
        ("BAI-801", 1190, "Savon à l'huile d'olive", "Olive oil soap"),
        ("BAI-802", 2490, "Porte-savon en pierre", "Stone soap dish"),
        ("BAI-803", 5490, "Peignoir nid d'abeille", "Waffle bathrobe"),
        ("BAI-804", 3290, "Panier à linge", "Laundry basket"),
    ),
)
