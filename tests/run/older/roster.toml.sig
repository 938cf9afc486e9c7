{
  "signed_by": "bl1-TMUY28Mt7xoqWt2fOGmGvCb6Dv7Kz9hqUTR-9pFtjhclt5HgK8cmVlv7I8FLkqHhTVw2hqFOfeCvg7--PzWkRg",
  "signature": "itr/xowvdUnI0gS6Tjg6bhKD6xhTxe2WQnt2Ve7kgI3/8tGIo5DltTniEmpjv3tf8OEBQ4fsKQATVI7b+zTgCA=="
}
